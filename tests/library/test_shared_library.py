"""While a batch of another process runs, a library with the default index is searched, and videos are removed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import Popen
from typing import Any

import numpy as np
import pytest
from own_process import start_script
from tiny_model import make_tiny_model
from video_factory import make_video, steady

from pipeline.library import Library

# A batch in one process, which goes on to the next video when it is told to.
_BATCH = """
import json, sys
from pipeline.library import Library

library_folder, overrides, *videos = map(json.loads, sys.argv[1:])
with Library.open(library_folder, overrides=overrides) as library:
    for report in library.index(videos):
        print(json.dumps([report.video_id, str(report.status), report.problem]), flush=True)
        sys.stdin.readline()
"""
_NAMES = ("a", "b", "c")


class Batch:
    """The batch of another process."""

    def __init__(self, tmp_path: Path) -> None:
        self.library = str(tmp_path / "library")
        encoder = make_tiny_model(tmp_path)
        self.overrides = [f"encoder.{name}={value}" for name, value in encoder.items()]
        self.overrides.append("execution.executor=in_process")
        paths = [str(tmp_path / f"{name}.mp4") for name in _NAMES]
        for number, path in enumerate(paths):
            make_video(Path(path), steady(20 + 10 * number))
        arguments = map(json.dumps, [self.library, self.overrides, *paths])
        self.process: Popen[str] = start_script(_BATCH, tmp_path / "work", *arguments)

    def next_report(self) -> list[Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate(timeout=60)
        report: list[Any] = json.loads(line)
        assert report[1:] == ["done", None]
        return report

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def open(self) -> Library:
        return Library.open(self.library, overrides=self.overrides)


@pytest.fixture
def batch(tmp_path: Path) -> Iterator[Batch]:
    batch = Batch(tmp_path)
    yield batch
    with suppress(ProcessLookupError):
        os.killpg(batch.process.pid, signal.SIGKILL)
    batch.process.wait()
    for stream in (batch.process.stdin, batch.process.stdout, batch.process.stderr):
        assert stream is not None
        stream.close()


def found(library: Library) -> set[str]:
    """The videos in the index, which a search of its nearest rows finds, too; a question is answered."""
    assert library.search("a thing", top=50, min_score=0)
    index = library.moment_index()
    question = np.ones((1, 24), np.float32) / np.float32(np.sqrt(24))
    [hits] = index.search(question, top=50)
    assert {hit.segment.video_id for hit in hits} == set(index.videos())
    return set(index.videos())


@pytest.mark.slow
def test_a_search_during_a_batch_sees_each_finished_video_and_a_removal_holds(batch: Batch) -> None:
    first = batch.next_report()[0]
    with batch.open() as library:
        assert found(library) == {first}
        batch.go_on()
        second = batch.next_report()[0]
        assert found(library) == {first, second}
        removed = library.remove(first)
        assert (removed.segments > 0, removed.remaining_segments) == (True, 0)
        batch.go_on()
        third = batch.next_report()[0]
        assert found(library) == {second, third}
        batch.go_on()
        assert batch.process.wait(timeout=60) == 0
        # The process that held the index has ended.
        assert found(library) == {second, third}
        assert library.verify_index().differences == ()


@pytest.mark.slow
def test_a_batch_that_is_killed_leaves_its_finished_videos_to_whoever_searches(batch: Batch) -> None:
    first = batch.next_report()[0]
    with batch.open() as library:
        assert found(library) == {first}
        batch.go_on()
        second = batch.next_report()[0]
        batch.process.kill()
        assert found(library) == {first, second}
