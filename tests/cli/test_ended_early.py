"""A batch that ends before its time: an interrupt, or a disk that fills up."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from own_process import start_script

from pipeline import Library
from pipeline.cli.console import batch_output
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
        patch.setattr(batch_output, "report_line", interrupt_at_the_second)
        result = momentseek("index", *paths, "-c", config)
    assert result.code == 130
    assert "2 of 4 ended (2 done); these are kept, and the same command continues with the rest" in result.err
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
        with pytest.raises(StoreFullError, match="there is no space left on the device; free some"):
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


# An interrupt is ignored in the background of a shell, and so by all that tests start there.
_COMMAND = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from pipeline.cli import main
sys.exit(main(sys.argv[1:]))
"""


def interrupted(arguments: list[object], tmp_path: Path, number: signal.Signals) -> tuple[list[str], str, int]:
    """Run the command, and send a signal to it and all that it started, as a terminal does, after its first line.

    Returns:
        The lines of standard output, standard error and the exit code.
    """
    process = start_script(_COMMAND, tmp_path / "cwd", *map(str, arguments))
    try:
        assert process.stdout is not None
        # Not by `communicate`, which would lose what this has read ahead.
        first = process.stdout.readline()
        os.killpg(process.pid, number)
        lines = [line.rstrip() for line in (first, *process.stdout) if line.strip()]
        _, err = process.communicate(timeout=120)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return lines, err, process.returncode


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"])
def test_a_signal_after_the_first_video_keeps_all_that_was_said_and_the_next_run_goes_on(
    momentseek, tiny_model, make_video, tmp_path, number, code
):
    paths = [make_video(f"{number:02}.mp4", seconds=20, grey=6 * number) for number in range(24)]
    settings = tmp_path / "lite.yaml"
    settings.write_text(yaml.safe_dump({"library": str(tmp_path / "library"), "encoder": tiny_model}))
    lines, err, ended = interrupted(["index", *paths, "-c", settings, "--in-process"], tmp_path, number)
    assert ended == code, err
    done = [line for line in lines if line.startswith("done")]
    assert 1 <= len(done) < len(paths)
    said = f"{len(done)} of 24 ended" if number is signal.SIGINT else "ended by SIGTERM; finished work is kept"
    assert said in err

    [run] = momentseek("runs", "-l", tmp_path / "library", "--json").objects()
    assert (run["outcome"], run["counts"]["done"]) == ("interrupted", len(done))
    assert momentseek("index", "verify", "-l", tmp_path / "library").code == 0
    again = momentseek("index", *paths, "-c", settings, "--in-process")
    assert f"{len(paths) - len(done)} done, {len(done)} skipped (already indexed)" in again.err
    assert momentseek("index", "verify", "-l", tmp_path / "library").code == 0
