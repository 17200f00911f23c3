from __future__ import annotations

import errno
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from pipeline.execution.per_video.embedding_buffer import EmbeddingBuffer
from pipeline.execution.per_video.messages import BatchTimes, Vectors, VideoEnd
from pipeline.testing.store import made_record

TESTS = Path(__file__).resolve().parents[2]


def times(first: int, after: int) -> BatchTimes:
    numbers = np.arange(first, after)
    return BatchTimes(
        number=0,
        pts=numbers.astype(np.int64) * 40,
        times_seconds=numbers / 25,
        decoded_seconds=after / 25,
        duration_seconds=None,
    )


def an_end() -> VideoEnd:
    return VideoEnd(
        info=made_record().info,
        duration_seconds=1.0,
        covered_seconds=1.0,
        frames_decoded=25,
        frames_seen=25,
        batches=1,
        cuts_seconds=(0.5,),
        seen_until_seconds=None,
        damage=(),
    )


@pytest.mark.parametrize("files_until", [0, 1, 9])
def test_gathered_embeddings_are_all_there_in_their_order(files_until: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks go to a file, which may never take one, or be full after some."""
    written: list[int] = []
    write = EmbeddingBuffer._write

    def limited(gathered: EmbeddingBuffer, block: Vectors) -> None:
        if len(written) == files_until:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(gathered, block)
        written.append(len(block))

    monkeypatch.setattr(EmbeddingBuffer, "_write", limited)
    angles = np.arange(25)
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    gathered = EmbeddingBuffer(block_rows=8)
    for first, after in ((0, 3), (3, 8), (8, 9), (9, 25)):
        gathered.add(times(first, after), rows[first:after])
    assert (gathered.batches, len(gathered)) == (4, 25)
    assert written == [8] * min(3, files_until)
    frames = gathered.assembled("v1", an_end())
    np.testing.assert_array_equal(frames.vectors, rows)
    np.testing.assert_array_equal(frames.pts, np.arange(25) * 40)
    np.testing.assert_array_equal(frames.times_seconds, np.arange(25) / 25)
    assert (frames.time_base, frames.cuts_seconds, len(gathered)) == (Fraction(1, 24000), (0.5,), 0)


def test_a_batch_with_too_few_embeddings_is_refused() -> None:
    with pytest.raises(ValueError, match="3 frames of a batch have 2 embeddings"):
        EmbeddingBuffer().add(times(0, 3), np.ones((2, 4), np.float32))


_PROGRAM = """
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.testing.store import made_frames, made_record
from execution.per_video.test_embedding_buffer import an_end, times
from pipeline.execution.per_video.embedding_buffer import EmbeddingBuffer
from pipeline.store import ParquetStore


def resident(name):
    return int(Path("/proc/self/status").read_text().split(name + ":")[1].split()[0]) * 1024


store = ParquetStore(sys.argv[1], "s1", "e1")
store.write(made_record("small"), made_frames("small"))
store.read("small")
unit = made_frames(count=100, dimension=512).vectors
before = resident("VmRSS")
if sys.argv[2] == "write":
    gathered = EmbeddingBuffer()
    for first in range(0, 100_000, 100):
        gathered.add(times(first, first + 100), unit)
    store.write(made_record(count=100_000), gathered.assembled("v1", an_end()))
else:
    assert len(store.read("v1")) == 100_000
print((resident("VmHWM") - before) / (100_000 * 512 * 4))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what was resident at most")
def test_a_long_video_is_in_memory_once(tmp_path: Path) -> None:
    for action in ("write", "read"):
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(tmp_path), action],
            capture_output=True,
            text=True,
            check=True,
            cwd=TESTS,
        )
        assert float(done.stdout) < 1.4, action


def test_rounding_keeps_each_frames_last_time_before_the_next_frame() -> None:
    """Exact times that differ by a nanosecond are one float after years."""
    gathered = EmbeddingBuffer()
    of_batch = replace(times(0, 3), times_seconds=np.array([0.0, 1e8, 2e8]))
    gathered.add(of_batch, np.eye(3, dtype=np.float32))
    frames = gathered.assembled("v1", replace(an_end(), seen_until_seconds=(1e8, 1e8 + 1, 2e8), step_seconds=0.5))
    assert frames.seen_until_seconds is not None
    assert frames.seen_until_seconds.tolist() == [np.nextafter(1e8, 0), 1e8 + 1, 2e8]
    assert frames.step_seconds == 0.5


def test_a_disk_that_is_full_from_the_first_block_on_loses_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is there then, and empty."""
    files = []

    def full(**options: int) -> IO[bytes]:
        files.append(Path("/dev/full").open("r+b", buffering=0))  # noqa: SIM115 - the buffer closes it
        return files[-1]

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    angles = np.arange(25)
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    gathered = EmbeddingBuffer(block_rows=8)
    gathered.add(times(0, 25), rows)
    np.testing.assert_array_equal(gathered.assembled("v", an_end()).vectors, rows)
    assert [file.closed for file in files] == [True]
