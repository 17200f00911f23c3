from __future__ import annotations

import numpy as np
import pytest
import torch
from contracts.fake_videos import BREAKS_DEVICE, FakeEncoder

from pipeline.encode.device_faults import RecoveringEncoder, fault_of
from pipeline.errors import EncoderError


def images(*greys: int) -> np.ndarray:
    return np.stack([np.full((8, 8, 3), grey, np.uint8) for grey in greys])


def sizes(log) -> list[int]:
    return [int(line.split()[1]) for line in log.read_text().splitlines()]


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."), "memory"),
        (torch.AcceleratorError("CUDA error: out of memory"), "memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "memory"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate"), "memory"),
        (MemoryError(), "memory"),
        (torch.AcceleratorError("CUDA error: device-side assert triggered"), "device"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "device"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), "device"),
        (caused(EncoderError("no"), torch.AcceleratorError("CUDA error: unspecified launch failure")), "device"),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), None),
        (EncoderError("image 3: an embedding without a direction"), None),
        (ValueError("expected uint8 images"), None),
    ],
)
def test_faults_are_told_from_mistakes(error, fault):
    assert fault_of(error) == fault


def test_want_of_memory_is_met_by_smaller_batches_from_then_on(tmp_path):
    log = tmp_path / "calls.log"
    greys = [10, 20, 30, 40, 50, 60, 70, 80, 90]
    model = RecoveringEncoder(FakeEncoder(log=str(log), most_images=3).open())
    found = model.encode_images(images(*greys))
    assert np.array_equal(found, FakeEncoder().open().encode_images(images(*greys)))
    model.encode_images(images(*greys))
    assert sizes(log) == [9, 5, 3, 3, 3, 3, 3, 3]
    assert model.fault is None


def test_no_memory_for_a_single_image_is_a_fault():
    model = RecoveringEncoder(FakeEncoder(most_images=0).open())
    with pytest.raises(torch.cuda.OutOfMemoryError):
        model.encode_images(images(1, 2))
    assert isinstance(model.fault, torch.cuda.OutOfMemoryError)


def test_a_broken_device_is_noted_and_not_asked_again(tmp_path):
    log = tmp_path / "calls.log"
    model = RecoveringEncoder(FakeEncoder(log=str(log)).open())
    for greys in ([1, BREAKS_DEVICE], [1]):
        with pytest.raises(torch.AcceleratorError, match="device-side assert"):
            model.encode_images(images(*greys))
    assert sizes(log) == [2]
    assert model.fault is not None
