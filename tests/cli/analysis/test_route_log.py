"""The delivery log of `momentseek route`: an interrupted run is seen in it, and repeated without delivering twice."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import Library
from pipeline.analyze.policies.delivery_log import DeliveryLog, DeliveryRecord
from pipeline.analyze.policies.policy import read_policy
from pipeline.library.analysis.policies.check import open_check
from pipeline.library.analysis.policies.routing import open_router
from pipeline.run_config import load_run_config

PROJECT = Path(__file__).resolve().parents[3]
COUNT = "import sys, pathlib; pathlib.Path(sys.argv[1]).open('a').write(sys.argv[2] + chr(10))"
# Ends the process that routes, as a power cut would, while the command runs for one video.
KILL = "; import os, signal; sys.argv[2].endswith('b.mp4') and os.kill(os.getppid(), signal.SIGKILL)"


def write_policy(folder: Path, held: dict[str, Any]) -> Path:
    path = folder / "policy.yaml"
    rule = {"when": "a person", "enter": 1e-9, "where": {"camera": "gate"}, "action": "route", "to": "held"}
    never = {"when": "a person", "enter": 0.999999, "action": "route", "to": "held"}
    policy = {"rules": {"gate": rule, "never": never}, "otherwise": "rest"}
    path.write_text(yaml.safe_dump({**policy, "destinations": {"held": held, "rest": {"manifest": "rest.csv"}}}))
    return path


def records(four: tuple[str, str], how: str | None = None) -> list[DeliveryRecord]:
    log = DeliveryLog(load_run_config(four[1]).library)
    found = [one for one in log.records() if how in (None, one.how)]
    # Runs that begin in the same second are in any order.
    return sorted(found, key=lambda one: one.at)


def outcomes(four: tuple[str, str], how: str) -> list[tuple[str, str, bool]]:
    return [(Path(one.uri).name, one.state, one.is_new) for one in records(four, how)]


def killed(script: str, *arguments: object) -> None:
    """Run `momentseek` in a process of its own, with `script` before it, which ends by SIGKILL."""
    start = f"{script}\nimport sys; from pipeline.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", start, *map(str, arguments)]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, timeout=240, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def lines(path: Path) -> list[str]:
    return sorted(Path(line).name for line in path.read_text().splitlines())


def test_copies_and_lists_are_logged_with_their_sizes_and_a_second_run_copies_nothing(momentseek, four, tmp_path):
    policy = write_policy(tmp_path, {"folder": "held"})
    assert momentseek("route", policy, *four, "--into", tmp_path / "one").code == 0
    assert outcomes(four, "copied") == [("a.mp4", "ended", True), ("b.mp4", "ended", True)]
    size = (tmp_path / "gate" / "a.mp4").stat().st_size
    first = records(four, "copied")[0]
    assert (first.size_bytes, first.target, first.rules) == (size, str(tmp_path / "one" / "held" / "a.mp4"), ("gate",))
    assert outcomes(four, "listed") == [("odd[1].mp4", "ended", True), ("yard.mp4", "ended", True)]
    (tmp_path / "one" / "rest.csv").unlink()
    again = momentseek("route", policy, *four, "--into", tmp_path / "one")
    assert (again.code, again.out.count("(delivered before)")) == (0, 2)
    assert outcomes(four, "copied")[2:] == [("a.mp4", "ended", False), ("b.mp4", "ended", False)]


def test_a_command_runs_once_for_a_video_and_again_when_told(momentseek, four, tmp_path):
    command = [sys.executable, "-c", COUNT, str(tmp_path / "log"), "{path}"]
    policy = write_policy(tmp_path, {"command": command})
    for run in range(2):
        assert momentseek("route", policy, *four, "--into", tmp_path / str(run)).code == 0
        assert lines(tmp_path / "log") == ["a.mp4", "b.mp4"]
    assert [(one.state, one.exit_status) for one in records(four, "ran")] == [("begun", None), ("ended", 0)] * 2
    assert momentseek("route", policy, "a.mp4", *four, "--into", tmp_path / "2", "--redeliver").code == 0
    assert lines(tmp_path / "log") == ["a.mp4", "a.mp4", "b.mp4"]
    # Another command is another delivery.
    other = write_policy(tmp_path, {"command": [*command, "more"]})
    assert momentseek("route", other, *four, "--into", tmp_path / "3").code == 0
    assert lines(tmp_path / "log") == ["a.mp4"] * 3 + ["b.mp4"] * 2


def test_a_command_that_failed_is_logged_with_its_status_and_run_again(momentseek, four, tmp_path):
    fails = "import pathlib, sys; sys.exit(0 if pathlib.Path(sys.argv[1]).exists() else 'no room')"
    policy = write_policy(tmp_path, {"command": [sys.executable, "-c", fails, str(tmp_path / "room")]})
    assert momentseek("route", policy, *four, "--into", tmp_path / "1").code == 1
    ended = [one for one in records(four, "ran") if one.state == "ended"]
    assert {(one.exit_status, str(one.problem).rpartition(" exited with status ")[2]) for one in ended} == {
        (1, "1: no room")
    }
    (tmp_path / "room").touch()
    result = momentseek("route", policy, *four, "--into", tmp_path / "2", "--json")
    assert result.code == 0
    held = [each for routed in result.objects() for each in routed["deliveries"] if each["destination"] == "held"]
    assert [(each["exit_status"], each["is_new"]) for each in held] == [(0, True)] * 2


def test_a_command_that_a_kill_interrupted_is_in_doubt_and_the_others_go_on(momentseek, four, tmp_path):
    policy = write_policy(tmp_path, {"command": [sys.executable, "-c", COUNT + KILL, str(tmp_path / "log"), "{path}"]})
    killed("", "route", policy, *four, "--into", tmp_path / "1")
    assert not (tmp_path / "1" / "rest.csv").exists()
    assert outcomes(four, "ran")[-1] == ("b.mp4", "begun", True)
    before = lines(tmp_path / "log")
    result = momentseek("route", policy, *four, "--into", tmp_path / "2")
    assert (result.code, "its result is unknown" in result.err) == (1, True)
    assert lines(tmp_path / "log") == sorted({*before, "a.mp4"})
    assert lines(tmp_path / "2" / "rest.csv") != []
    calm = write_policy(tmp_path, {"command": [sys.executable, "-c", COUNT, str(tmp_path / "log"), "{path}"]})
    assert momentseek("route", calm, "b.mp4", *four, "--into", tmp_path / "3", "--redeliver").code == 0


@pytest.mark.parametrize("redeliver", [False, True])
def test_of_two_runs_at_once_one_runs_a_command(four, tmp_path, redeliver):
    policy = write_policy(tmp_path, {"command": [sys.executable, "-c", COUNT, str(tmp_path / "log"), "{path}"]})
    with Library.open(load_run_config(four[1])) as library:
        checks = [open_check(library, read_policy(policy), where={"camera": "gate"}) for _ in range(2)]
        # A run reads the log when it begins, and both begin before either has run a command for the last video.
        runs = [
            open_router(check, tmp_path / str(run)).run(redeliver=redeliver and run == 1)
            for run, check in enumerate(checks)
        ]
        routed = [next(run) for _ in range(2) for run in runs]
    assert [(each.deliveries[0].is_new, each.deliveries[0].problem) for each in routed][2:] == [
        (True, None), (False, None)
    ]  # fmt: skip
    assert lines(tmp_path / "log").count(Path(routed[-1].checked.decision.uri).name) == 1


def test_two_processes_at_once_run_each_command_once(four, tmp_path):
    policy = write_policy(tmp_path, {"command": [sys.executable, "-c", COUNT, str(tmp_path / "log"), "{path}"]})
    start = "import sys; from pipeline.cli import main; sys.exit(main(sys.argv[1:]))"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", start, "route", str(policy), *four, "--into", str(tmp_path / str(run))],
            cwd=PROJECT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for run in range(2)
    ]
    # One ends with 1 if it comes to a command that the other runs, whose result is then unknown.
    assert {process.wait(timeout=240) for process in processes} <= {0, 1}
    assert lines(tmp_path / "log") == ["a.mp4", "b.mp4"]


@pytest.mark.parametrize("place", ["copy", "link"])
def test_a_kill_between_delivery_and_log_delivers_nothing_twice(momentseek, four, tmp_path, place):
    policy = write_policy(tmp_path, {"folder": "held", "place": place})
    kill = (
        "import os, signal; from pipeline.analyze.policies.delivery_log import DeliveryWriter\n"
        "DeliveryWriter.add = lambda self, record: os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed(kill, "route", policy, *four, "--into", tmp_path / "into")
    held = tmp_path / "into" / "held"
    assert len(list(held.iterdir())) == 1
    assert records(four) == []
    assert momentseek("route", policy, *four, "--into", tmp_path / "into").code == 0
    assert sorted(path.name for path in held.iterdir()) == ["a.mp4", "b.mp4"]
    assert sorted(is_new for _, _, is_new in outcomes(four, "copied" if place == "copy" else "linked")) == [False, True]


def test_a_full_destination_is_logged_and_lists_appear_only_whole(momentseek, four, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    policy = write_policy(tmp_path, {"folder": "held"})
    with monkeypatch.context() as patched:
        patched.setattr("pipeline.export.placement._copy", full)
        result = momentseek("route", policy, *four, "--into", tmp_path / "into")
    assert (result.code, "a destination cannot be written: [Errno 28]" in result.err) == (1, True)
    (failed,) = records(four, "copied")
    assert (failed.state, "No space left" in str(failed.problem)) == ("ended", True)
    assert records(four, "listed") == []
    assert not (tmp_path / "into" / "rest.csv").exists()
    assert momentseek("route", policy, *four, "--into", tmp_path / "into").code == 0
    assert len(outcomes(four, "listed")) == 2


def test_a_destination_that_is_no_folder_stops_before_anything_is_delivered(momentseek, four, tmp_path):
    policy = write_policy(tmp_path, {"folder": "held"})
    (tmp_path / "into").mkdir()
    (tmp_path / "into" / "held").symlink_to(tmp_path / "nowhere" / "x")
    result = momentseek("route", policy, *four, "--into", tmp_path / "into")
    assert (result.code, "a destination cannot be written" in result.err) == (1, True)
    assert records(four) == []


def test_a_dry_run_logs_nothing_and_says_what_was_delivered_before(momentseek, four, tmp_path):
    policy = write_policy(tmp_path, {"command": [sys.executable, "-c", COUNT, str(tmp_path / "log"), "{path}"]})
    assert "before" not in momentseek("route", policy, *four, "--into", tmp_path / "1", "--dry-run").out
    assert records(four) == []
    assert momentseek("route", policy, *four, "--into", tmp_path / "1").code == 0
    result = momentseek("route", policy, *four, "--into", tmp_path / "2", "--dry-run")
    assert result.out.count("held (delivered before) (gate)") == 2
    assert lines(tmp_path / "log") == ["a.mp4", "b.mp4"]


def test_a_removed_video_is_erased_from_the_log_and_a_broken_file_is_named(momentseek, four, tmp_path):
    policy = write_policy(tmp_path, {"folder": "held"})
    assert momentseek("route", policy, *four, "--into", tmp_path / "1").code == 0
    with Library.open(load_run_config(four[1])) as library:
        (gone,) = library.find("a.mp4")
    assert momentseek("remove", "a.mp4", *four).code == 0
    folder = tmp_path / "library" / "audit" / "deliveries"
    assert gone not in "".join(path.read_text() for path in folder.iterdir())
    assert [Path(one.uri).name for one in records(four, "copied")] == ["b.mp4"]
    part = sorted(folder.iterdir())[0]
    header = json.loads(part.read_text().splitlines()[0])
    assert (header["kind"], header["policy"]) == ("deliveries", "policy")
    part.write_text('{"format": 9}\n')
    command = write_policy(tmp_path, {"command": [sys.executable, "-c", COUNT, str(tmp_path / "log"), "{path}"]})
    result = momentseek("route", command, *four, "--into", tmp_path / "2")
    assert (result.code, part.name in result.err, (tmp_path / "log").exists()) == (1, True, False)


@pytest.mark.parametrize("rules", ["abc", None, [1], {}])
def test_rules_that_are_no_list_of_names_are_refused(rules):
    fields = DeliveryRecord(
        video_id="a", uri="a.mp4", destination="held", key="0", how="copied", state="ended", target="t",
        rules=("gate",), at="2026-11-30T00:00:00.000Z",
    ).as_json()  # fmt: skip
    assert DeliveryRecord.from_json({**fields, "rules": ["gate"]}).rules == ("gate",)
    with pytest.raises(ValueError, match="not a delivery"):
        DeliveryRecord.from_json({**fields, "rules": rules})
