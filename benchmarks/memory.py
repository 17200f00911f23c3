"""Whether memory grows with a video's length, a batch's size or a picture's.

    python -m benchmarks.memory [--short] [--repeats 3] [--output benchmarks/results/memory.json]

Each case indexes generated H.264 videos through the in-process executor, in a fresh process of its own, with a tiny
image tower of random weights whose embeddings are as long as ViT-B/32's (512 numbers), a Parquet store and an index in
memory. Told is the peak of resident memory (VmHWM, which unlike ru_maxrss knows nothing of the process that started
this one), and by how much it is above what was resident when a model had been open and the first video had not.

- `fixed_rate` at 1 frame/s and `keyframe`: ten hours against ten minutes, 160 x 90 at 25 frames/s, a keyframe every two
  seconds or sooner. The long file is the short one's packets sixty times over with later times.
- `batch`: 5,000 videos of one second against 50; no two are the same.
- `8k`: two seconds of 7680 x 4320, beside as long a video of 1920 x 1080.

With `--short`: one hour against ten minutes, 200 videos against 50, and 8K of five frames.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from benchmarks.setting import TINY, alternating, random_model, rounded, stages_in, write_result
from pipeline.encode import Encoding, OpenClipEncoder
from pipeline.execution import Execution, make_executor
from pipeline.sampling import FixedRate, FrameSampler, Keyframe
from pipeline.types import Source

SAMPLERS: dict[str, FrameSampler] = {"fixed_rate": FixedRate(fps=1.0), "keyframe": Keyframe()}
RATE = 25
_MEBIBYTE = 2**20
_NUMBER_BITS = 16

Luma = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Extent:
    """How much a run is about.

    Attributes:
        base_seconds: Length of the shorter video.
        times_longer: By which the longer one is longer.
        few: Videos of the smaller batch.
        many: Videos of the larger one.
        large_frames: Frames of the 8K video and of the one beside it.
    """

    base_seconds: int
    times_longer: int
    few: int
    many: int
    large_frames: int


WHOLE = Extent(base_seconds=600, times_longer=60, few=50, many=5000, large_frames=50)
SHORT = Extent(base_seconds=600, times_longer=6, few=50, many=200, large_frames=5)


@dataclass(frozen=True)
class Peak:
    """What one process needed.

    Attributes:
        peak_mib: Most resident memory, in mebibytes.
        above_start_mib: By how much that is above what was resident before the first video.
        frames_sampled: Frames that were encoded.
        videos: Videos that were indexed.
        seconds: Time that indexing took.
    """

    peak_mib: float
    above_start_mib: float
    frames_sampled: int
    videos: int
    seconds: float


def moving_gradient(number: int, width: int, height: int) -> Luma:
    """A picture that changes from frame to frame and costs little to draw: uint8 (H, W)."""
    across = (np.arange(width) * 256 // width + 3 * number).astype(np.uint8)
    down = (np.arange(height) * 256 // height).astype(np.uint8)
    return down[:, None] + across[None, :]


def numbered(frame: int, width: int, height: int, *, number: int) -> Luma:
    """A grey picture; the middle frame shows a number in black and white blocks: uint8 (H, W)."""
    picture = np.full((height, width), 96 + frame, np.uint8)
    if frame == 5:
        block = width // _NUMBER_BITS
        for bit in range(_NUMBER_BITS):
            picture[:, bit * block : (bit + 1) * block] = 235 if number >> bit & 1 else 16
    return picture


def write_video(path: Path, lumas: Iterator[Luma], *, rate: int, gop: int, options: dict[str, str]) -> Path:
    """Encode grey pictures as H.264."""
    with av.open(str(path), "w") as container:
        stream = None
        for luma in lumas:
            height, width = luma.shape
            if stream is None:
                stream = container.add_stream("libx264", rate=rate, options={"g": str(gop), **options})
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            planes = np.concatenate([luma, np.full((height // 2, width), 128, np.uint8)])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        if stream is not None:
            container.mux(stream.encode(None))
    return path


def lengthened(short: Path, path: Path, times: int) -> Path:
    """The packets of a file so many times over, each time later by its length; nothing is encoded again.

    Raises:
        RuntimeError: The file does not open with the length that it ought to have.
    """
    with av.open(str(short)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        time_base = stream.time_base
        if time_base is None:
            raise RuntimeError(f"{short}: the stream has no time base")
        copy = target.add_stream_from_template(stream)
        known = [
            (bytes(packet), packet.pts, packet.dts, packet.duration or 0, packet.is_keyframe)
            for packet in source.demux(stream)
            if packet.pts is not None and packet.dts is not None
        ]
        period = max(pts + duration for _, pts, _, duration, _ in known) - min(pts for _, pts, _, _, _ in known)
        for number in range(times):
            for data, pts, dts, duration, is_keyframe in known:
                packet = av.Packet(data)
                packet.stream, packet.time_base = copy, time_base
                packet.pts, packet.dts = pts + number * period, dts + number * period
                packet.duration, packet.is_keyframe = duration, is_keyframe
                target.mux(packet)
    expected = float(times * period * time_base)
    with av.open(str(path)) as made:
        found = float((made.duration or 0) / av.time_base)
    if abs(found - expected) > 0.1:
        raise RuntimeError(f"{path}: opens with {found} s instead of {expected} s")
    return path


def write_cases(folder: Path, extent: Extent) -> dict[str, tuple[str, list[Path]]]:
    """All videos, and for each case the sampling and the files."""
    quick = {"preset": "ultrafast", "crf": "30"}
    pictures = (moving_gradient(number, 160, 90) for number in range(extent.base_seconds * RATE))
    short = write_video(folder / "short.mp4", pictures, rate=RATE, gop=2 * RATE, options={"preset": "veryfast"})
    long = lengthened(short, folder / "long.mp4", extent.times_longer)
    batch = [
        write_video(
            folder / f"{number}.mp4",
            (numbered(frame, 64, 36, number=number) for frame in range(10)),
            rate=10,
            gop=10,
            options=quick,
        )
        for number in range(extent.many)
    ]
    sized = {
        name: write_video(
            folder / f"{name}.mp4",
            (moving_gradient(number, width, height) for number in range(extent.large_frames)),
            rate=RATE,
            gop=2 * RATE,
            options={"preset": "veryfast"},
        )
        for name, width, height in (("1080p", 1920, 1080), ("8k", 7680, 4320))
    }
    return {
        **{f"{sampling}_{name}": (sampling, [path]) for sampling in SAMPLERS for name, path in _named(short, long)},
        "batch_small": ("fixed_rate", batch[: extent.few]),
        "batch_large": ("fixed_rate", batch),
        **{name: ("fixed_rate", [path]) for name, path in sized.items()},
    }


def _named(*paths: Path) -> list[tuple[str, Path]]:
    return [(path.stem, path) for path in paths]


def index(encoding: Encoding, sampling: str, paths: list[str]) -> Peak:
    """Index videos in this process, and tell what it needed.

    Raises:
        RuntimeError: A video was not indexed.
    """
    encoder = OpenClipEncoder(encoding)
    encoder.open().encode_images(np.zeros((32, 224, 224, 3), np.uint8))
    before = resident_mib("VmRSS")
    started = time.perf_counter()
    sampled = videos = 0
    with tempfile.TemporaryDirectory() as folder:
        stages = stages_in(folder, encoder, SAMPLERS[sampling])
        for report in make_executor(Execution(executor="in_process"), stages).run(map(Source, paths)):
            if report.status != "done":
                raise RuntimeError(f"{report.source.uri}: {report.status}: {report.problem}")
            sampled += report.frames_sampled
            videos += 1
        seconds = time.perf_counter() - started
    peak = resident_mib("VmHWM")
    return Peak(peak, peak - before, sampled, videos, seconds)


def resident_mib(name: str) -> float:
    """What the kernel says of this process's memory: VmRSS is resident now, VmHWM was at most."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / _MEBIBYTE
    raise RuntimeError(f"/proc/self/status has no {name}")


def in_fresh_process(encoding: Encoding, sampling: str, paths: list[Path]) -> Peak:
    """`index` in a process of its own."""
    case = {"encoding": encoding.model_dump_json(), "sampling": sampling, "paths": [str(path) for path in paths]}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", "--case"],
        input=json.dumps(case),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Peak(**json.loads(done.stdout.splitlines()[-1]))


def compare(folder: Path, extent: Extent, repeats: int) -> dict[str, Any]:
    """The peaks of all cases, in turn, and their ratios."""
    encoding = random_model(folder, TINY)
    cases = write_cases(folder, extent)
    print(f"{len(cases)} cases written", flush=True)
    ways: dict[str, Callable[[], Peak]] = {
        name: partial(in_fresh_process, encoding, sampling, paths) for name, (sampling, paths) in cases.items()
    }
    peaks: dict[str, list[Peak]] = {name: [] for name in ways}
    # Each process is fresh, so there is nothing to warm up but the file cache, which does not count.
    for name, peak in alternating(ways, repeats, warm_up=False):
        peaks[name].append(peak)
        print(name, peak, flush=True)
    most = {name: median(peak.peak_mib for peak in of_case) for name, of_case in peaks.items()}
    return {
        "peaks": {name: [asdict(peak) for peak in of_case] for name, of_case in peaks.items()},
        "median_peak_mib": most,
        "median_above_start_mib": {
            name: median(peak.above_start_mib for peak in of_case) for name, of_case in peaks.items()
        },
        "ratios": {
            "fixed_rate_long_over_short": most["fixed_rate_long"] / most["fixed_rate_short"],
            "keyframe_long_over_short": most["keyframe_long"] / most["keyframe_short"],
            "batch_large_over_small": most["batch_large"] / most["batch_small"],
            "8k_over_1080p": most["8k"] / most["1080p"],
        },
    }


def main() -> None:
    """Run all and write the result; or, in a fresh process, run one case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="less of everything, in a few minutes")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/memory.json"))
    parser.add_argument("--case", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        case = json.load(sys.stdin)
        peak = index(Encoding.model_validate_json(case["encoding"]), case["sampling"], case["paths"])
        print(json.dumps(asdict(peak)))
        return
    extent = SHORT if arguments.short else WHOLE
    with tempfile.TemporaryDirectory() as folder:
        results = rounded(compare(Path(folder), extent, arguments.repeats))
    write_result(arguments.output, "benchmarks.memory", {"extent": asdict(extent), "results": results})
    print(json.dumps({name: results[name] for name in ("median_peak_mib", "ratios")}, indent=1))


if __name__ == "__main__":
    main()
