from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_PROGRAM = """
from pathlib import Path
from pipeline.freed_memory import give_back

def resident():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) // 1024

held = [bytes(65536) for _ in range(1600)]
held = held[::100]
before = resident()
give_back()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="does nothing without glibc")
def test_free_pages_between_living_ones_are_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 40
