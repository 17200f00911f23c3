"""A batch that ends before its time: an interrupt, or a disk that fills up."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import Library
from pipeline.cli import batch
from pipeline.errors import StoreFullError
from pipeline.run_config import load_run_config


def test_an_interrupt_keeps_what_is_done_and_says_how_much(momentseek, config, make_video, monkeypatch):
    paths = [make_video(f"{number}.mp4", grey=40 * number) for number in range(4)]
    told: list[str] = []

    def interrupt_at_the_second(report: object) -> str:
        told.append(str(report))
        if len(told) == 2:
            raise KeyboardInterrupt
        return "done"

    with monkeypatch.context() as patch:
        patch.setattr(batch, "report_line", interrupt_at_the_second)
        result = momentseek("index", *paths, "-c", config)
    assert result.code == 130
    assert "2 of 4 ended (2 done); these are kept, and the same command goes on from there" in result.err
    assert len(momentseek("videos", "-c", config, "--json").objects()) == 2
    [run] = momentseek("runs", "-c", config, "--json").objects()
    assert run["outcome"] == "interrupted"
    assert "2 done, 2 skipped" in momentseek("index", *paths, "-c", config).err


def fill(folder: Path) -> Path:
    """Leave no space in a folder's file system."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(512))
        except OSError:
            return path


def test_a_disk_that_fills_up_ends_the_batch_and_its_run(momentseek, config, make_video, small_disk):
    paths = [make_video(f"{number}.mp4", grey=30 * number) for number in range(7)]
    with Library.open(load_run_config(config, [f"library={small_disk / 'library'}"])) as library:
        reports = library.index(paths)
        assert next(reports).status == "done"
        filler = fill(small_disk)
        ended = []
        with pytest.raises(StoreFullError, match="there is no space left for it; free some"):
            ended.extend(reports)
        assert ended == []
        [run] = library.runs()
        assert (run.outcome, run.counts["done"]) == ("failed", 1)
        filler.unlink()
        assert [report.status for report in library.index(paths)] == ["skipped"] + ["done"] * 6
    options = ("-l", small_disk / "library")
    filler = fill(small_disk)
    result = momentseek("index", make_video("8.mp4", grey=250), *options, "--in-process")
    assert (result.code, "there is no space left" in result.err) == (1, True)
    filler.unlink()
