from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli.console.json_log import JsonFormatter, PlainFormatter
from pipeline.run_id import running


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    code = f"import sys; from pipeline.cli import main; sys.exit(main({[str(argument) for argument in arguments]!r}))"
    return subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, timeout=240, check=False)


def record(message: str = "read %d frames", *arguments: object, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("pipeline.x", logging.WARNING, "x.py", 1, message, arguments, None)
    made.__dict__.update(extra)
    return made


def test_a_record_is_a_line_of_json():
    with running("r1"):
        line = JsonFormatter().format(record("read %d\nframes", 3, uri="/v/\udc80.mp4", video_id="v1", other=1))
    fields = json.loads(line)
    assert line.isascii()
    assert "\n" not in line
    assert fields.pop("time").endswith("Z")
    assert fields == {
        "level": "warning",
        "logger": "pipeline.x",
        "message": "read 3\nframes",
        "run_id": "r1",
        "uri": "/v/\udc80.mp4",
        "video_id": "v1",
    }


def test_a_record_has_its_traceback():
    try:
        raise ValueError("no")
    except ValueError:
        made = record("broke")
        made.exc_info = sys.exc_info()
    fields = json.loads(JsonFormatter().format(made))
    assert fields["exception"].endswith("ValueError: no")
    assert "run_id" not in fields


def test_all_of_standard_error_is_json(config, make_video, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("MOMENTSEEK_RUN_ID", "r7")
    path, missing = make_video(), tmp_path / "none.mp4"
    result = run("--log-json", "index", path, missing, "-c", config, "--json")
    assert result.returncode == 1
    assert [json.loads(line)["status"] for line in result.stdout.splitlines()] == ["done", "failed"]
    records = [json.loads(line) for line in result.stderr.splitlines()]
    about = {each["uri"]: each for each in records if "uri" in each}
    assert {uri: (each["run_id"], each["level"], each["status"]) for uri, each in about.items()} == {
        str(path): ("r7", "info", "done"),
        str(missing): ("r7", "warning", "failed"),
    }
    assert about[str(path)]["video_id"]
    assert any("2/2 videos, 1 failed" in each["message"] for each in records)


@pytest.mark.parametrize(("options", "variable"), [(["--log-json"], ""), ([], "json")])
def test_an_error_is_json_too_whether_option_or_variable_says_so(tmp_path: Path, monkeypatch, options, variable):
    monkeypatch.setenv("MOMENTSEEK_LOG_FORMAT", variable)
    result = run(*options, "search", "x", "--library", tmp_path / "none")
    [fields] = [json.loads(line) for line in result.stderr.splitlines()]
    assert (fields["level"], "there is no library" in fields["message"]) == ("error", True)


def test_an_unknown_format_is_refused(momentseek, monkeypatch):
    monkeypatch.setenv("MOMENTSEEK_LOG_FORMAT", "xml")
    result = momentseek("doctor")
    assert (result.code, "MOMENTSEEK_LOG_FORMAT must be plain or json, got 'xml'" in result.err) == (2, True)


def test_a_plain_line_commands_no_terminal() -> None:
    line = logging.LogRecord("pipeline", logging.WARNING, "", 0, "%s", ("a\x1b[2J\u202e.mp4\r",), None)
    assert PlainFormatter().format(line) == r"WARNING pipeline: a\x1b[2J\u202e.mp4\r"
