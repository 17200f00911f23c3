"""What `make setup` and `make milvus-server` install is what was tested: each file has a known hash."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent
LOCKS = ("requirements.lock", "tests/milvus_server.lock", "tests/siglip.lock")


def requirements(lock: str) -> list[str]:
    text = re.sub(r"\\\n\s*", "", (PROJECT / lock).read_text())
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("lock", LOCKS)
def test_each_package_is_pinned_with_hashes(lock):
    assert requirements(lock)
    assert [line for line in requirements(lock) if not re.match(r"[A-Za-z0-9._-]+==\S+ *--hash=sha256:", line)] == []


def test_the_files_are_checked_when_they_are_installed():
    makefile = (PROJECT / "Makefile").read_text()
    for lock in ("requirements.lock", "tests/siglip.lock"):
        assert [line for line in makefile.splitlines() if f"-r {lock}" in line and "--require-hashes" in line]
    assert "--require-hashes" in (PROJECT / "tests" / "milvus_server.py").read_text()


def test_a_changed_package_is_refused(tmp_path):
    wheel = tmp_path / "pinned-1.0-py3-none-any.whl"
    wheel.write_bytes(b"not what was tested")
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"pinned==1.0 --hash=sha256:{'0' * 64}\n")
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--find-links", str(tmp_path)]
    done = subprocess.run([*command, "--require-hashes", "-r", str(lock)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
