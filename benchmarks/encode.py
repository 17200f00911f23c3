"""How near the encoder comes to what the machine can multiply.

    python -m benchmarks.encode [--device cpu] [--batch 8 16 32 64] [--batches 1] [--repeats 5]
                                [--output benchmarks/results/encode.json]

Timed is `encode_images` of the project's own encoder on uint8 batches that lie in memory: copying, normalising, the
image tower, and bringing unit vectors back. Weights are random. ViT-B/32 on any device, ViT-L/14 on a GPU as well; each
in every number format that the hardware multiplies in.

The mark is the rate at which `torch.matmul` multiplies square matrices of the same number format, in the same process
with the same threads, rounds of both in turn: of several sizes the best one. The floating-point operations of an image
are counted by torch's `FlopCounterMode` over the image tower: two for each multiplication and addition of a matrix
product or a convolution, none for all else. The share is operations an image times images a second, over the matrix
rate. Everything but matrix products counts against it.

Several batch sizes are measured in one run, in turn, and the best one is named. On a processor, both rates are also
given in processor seconds, over all threads: that ratio holds while other programs use the machine.

The first round is a warm-up and is thrown away.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from benchmarks.setting import VIT_B_32, VIT_L_14, Tower, alternating, random_model, rounded, write_result
from pipeline.encode import Encoding, OpenClipEncoder, OpenEncoder
from pipeline.encode.device import select_device, select_precision

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "bf16", "fp16"]
TOWERS: dict[str, Tower] = {"ViT-B/32": VIT_B_32, "ViT-L/14": VIT_L_14}
CPU_SIZES, GPU_SIZES = (1024, 2048, 4096), (4096, 8192, 16384)
CPU_CALLS, GPU_CALLS = 4, 64
_DIFFERENT_CALLS = 4
_PRODUCT_SECONDS = 0.2


@dataclass(frozen=True)
class Rate:
    """A rate by the clock, and by the processor time of all threads."""

    a_second: float
    a_processor_second: float


@dataclass(frozen=True)
class Work:
    """What a round encodes.

    Attributes:
        batch_sizes: Numbers of images that go through the network at once.
        batches_a_call: Batches in one call of the encoder.
        calls: Calls of the encoder.
    """

    batch_sizes: tuple[int, ...]
    batches_a_call: int
    calls: int


def precisions(device: torch.device) -> tuple[Precision, ...]:
    """The number formats that the hardware itself multiplies in."""
    if device.type == "cuda":
        return ("fp32", "bf16", "fp16") if select_precision("auto", device) == "bf16" else ("fp32", "fp16")
    return ("fp32", "bf16") if select_precision("auto", device) == "bf16" else ("fp32",)


def flops_per_image(tower: Tower) -> int:
    """Floating-point operations of the image tower on one image; open_clip must know the tower by its name."""
    import open_clip
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # A network in training takes no fused path, whose products would not be counted.
    network = open_clip.create_model(tower.name).train()
    size = tower.vision["image_size"]
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        network.encode_image(torch.zeros(1, 3, size, size))
    return int(counter.get_total_flops())


class Product:
    """Products of square matrices of one size, so many that the clock is no concern.

    Args:
        size: Rows and columns.
        precision: Number format.
        device: Where.
    """

    def __init__(self, size: int, precision: Precision, device: torch.device) -> None:
        import torch

        self._torch = torch
        self._flops = 2 * size**3
        self._device = device
        dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
        self._one, self._other = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
        self._out = torch.empty_like(self._one)
        self._times = 1
        self._seconds()
        self._times = max(1, round(_PRODUCT_SECONDS / self._seconds()))

    def __call__(self) -> Rate:
        """Floating-point operations a second."""
        processor_started = time.process_time()
        seconds, flops = self._seconds(), self._flops * self._times
        return Rate(flops / seconds, flops / (time.process_time() - processor_started))

    def _seconds(self) -> float:
        self._synchronise()
        started = time.perf_counter()
        with self._torch.inference_mode():
            for _ in range(self._times):
                self._torch.matmul(self._one, self._other, out=self._out)
        self._synchronise()
        return time.perf_counter() - started

    def _synchronise(self) -> None:
        if self._device.type == "cuda":
            self._torch.cuda.synchronize(self._device)


def image_rate(model: OpenEncoder, batches: Sequence[npt.NDArray[np.uint8]]) -> Rate:
    """Images a second over all batches; embeddings come back to the processor, so nothing is left under way."""
    started, processor_started = time.perf_counter(), time.process_time()
    for batch in batches:
        model.encode_images(batch)
    images = sum(map(len, batches))
    return Rate(images / (time.perf_counter() - started), images / (time.process_time() - processor_started))


def encoding_way(
    encoding: Encoding, size: int, *, device: torch.device, precision: Precision, batch: int, work: Work
) -> Callable[[], Rate]:
    """A round of the encoder with one batch size."""
    chosen = {"device": str(device), "precision": precision, "batch_size": batch}
    model = OpenClipEncoder(encoding.model_copy(update=chosen)).open()
    generator = np.random.default_rng(0)
    images_a_call = batch * work.batches_a_call
    pool = [generator.integers(0, 256, (images_a_call, size, size, 3), np.uint8) for _ in range(_DIFFERENT_CALLS)]
    return partial(image_rate, model, [pool[number % len(pool)] for number in range(work.calls)])


def compare(
    encoding: Encoding,
    tower: Tower,
    *,
    device: torch.device,
    precision: Precision,
    work: Work,
    repeats: int,
) -> dict[str, Any]:
    """Images a second and matrix rates of one tower in one number format, in turn; results by batch size."""
    size, sizes = tower.vision["image_size"], GPU_SIZES if device.type == "cuda" else CPU_SIZES
    ways: dict[str, Callable[[], Rate]] = {
        f"encode {batch}": encoding_way(encoding, size, device=device, precision=precision, batch=batch, work=work)
        for batch in work.batch_sizes
    }
    products: dict[str, Callable[[], Rate]] = {f"matmul {size}": Product(size, precision, device) for size in sizes}
    rates: dict[str, list[Rate]] = {name: [] for name in (*ways, *products)}
    for name, rate in alternating({**ways, **products}, repeats):
        rates[name].append(rate)
    flops = flops_per_image(tower)
    best = max(products, key=lambda name: median(rate.a_second for rate in rates[name]))
    matrix_rate = median_rate(rates[best])
    batches = {
        batch: shares(rates[f"encode {batch}"], flops, matrix_rate, on_processor=device.type == "cpu")
        for batch in work.batch_sizes
    }
    best_batch = max(batches, key=lambda batch: batches[batch]["share_of_matmul_rate"])
    return {
        "best_batch": best_batch,
        **batches[best_batch],
        "gflops_per_image": flops / 1e9,
        "matmul_gflops_per_second": {name: [rate.a_second / 1e9 for rate in rates[name]] for name in products},
        "best_matmul": best,
        "median_matmul_gflops_per_second": matrix_rate.a_second / 1e9,
        "batches": batches,
    }


def median_rate(rates: Sequence[Rate]) -> Rate:
    """The medians of both rates."""
    return Rate(median(rate.a_second for rate in rates), median(rate.a_processor_second for rate in rates))


def shares(rates: Sequence[Rate], flops: int, matrix_rate: Rate, *, on_processor: bool) -> dict[str, Any]:
    """What a batch size reaches of the matrix rate."""
    middle = median_rate(rates)
    found = {
        "images_per_second": [rate.a_second for rate in rates],
        "median_images_per_second": middle.a_second,
        "share_of_matmul_rate": flops * middle.a_second / matrix_rate.a_second,
    }
    if on_processor:
        share = flops * middle.a_processor_second / matrix_rate.a_processor_second
        found |= {"median_images_per_processor_second": middle.a_processor_second, "share_in_processor_seconds": share}
    return found


def hardware_of(device: torch.device) -> dict[str, Any]:
    """What computed, and with how many threads."""
    import torch

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"
    return {"device": str(device), "name": name, "threads": torch.get_num_threads()}


def main() -> None:
    """Run all and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--batch", type=int, nargs="+", default=[32], help="images in a batch; several are compared")
    parser.add_argument("--batches", type=int, default=1, help="batches in a call; a GPU may want more")
    parser.add_argument("--calls", type=int, help=f"calls in a round: {CPU_CALLS}, or {GPU_CALLS} on a GPU")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/encode.json"))
    arguments = parser.parse_args()
    device = select_device(arguments.device)
    is_gpu = device.type == "cuda"
    calls = arguments.calls or (GPU_CALLS if is_gpu else CPU_CALLS)
    work = Work(tuple(arguments.batch), arguments.batches, calls)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, tower in TOWERS.items() if is_gpu else [("ViT-B/32", VIT_B_32)]:
            encoding = random_model(Path(folder), tower)
            results[name] = {}
            for precision in precisions(device):
                results[name][precision] = rounded(
                    compare(
                        encoding,
                        tower,
                        device=device,
                        precision=precision,
                        work=work,
                        repeats=arguments.repeats,
                    )
                )
                print(name, precision, json.dumps(results[name][precision], indent=1), flush=True)
    content = {"hardware": hardware_of(device), "work": asdict(work), "results": results}
    write_result(arguments.output, "benchmarks.encode", content)


if __name__ == "__main__":
    main()
