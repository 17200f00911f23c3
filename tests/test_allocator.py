from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_GIVES_BACK = """
from pathlib import Path
from pipeline.allocator import give_back

def resident():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) // 1024

held = [bytes(65536) for _ in range(1600)]
held = held[::100]
before = resident()
give_back()
print(before - resident())
"""

# 40 MiB twenty times over is 205,000 pages of 4 KiB where it is mapped anew each time, 10,000 where it is reused.
_FAULTS = """
import resource
import numpy as np
from pipeline import allocator

{prepare}
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    parts = [np.ones(20 * 2**20, np.uint8) for _ in range(2)]
    del parts
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="does nothing without glibc")


def said_by(program: str) -> int:
    return int(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)


def test_keep_has_large_blocks_reused() -> None:
    assert said_by(_FAULTS.format(prepare="allocator.keep()")) < 0.2 * said_by(_FAULTS.format(prepare=""))


def test_free_pages_between_living_ones_are_given_back() -> None:
    assert said_by(_GIVES_BACK) > 40
