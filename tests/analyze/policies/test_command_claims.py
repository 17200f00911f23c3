"""Claims of commands: of runs at the same time, one runs a command."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.analyze.policies.command_claims import CommandClaims
from pipeline.analyze.policies.delivery_log import DeliveryLog, DeliveryRecord


def record(state: str = "begun", *, key: str = "k", at: str = "2026-11-30T10:00:00.000Z", **fields) -> DeliveryRecord:
    return DeliveryRecord(
        video_id="a", uri="a.mp4", destination="held", key=key, how="ran", state=state, target="/bin/true", rules=(),
        at=at, **fields,
    )  # fmt: skip


def write(log: DeliveryLog, run: str, *records: DeliveryRecord) -> None:
    with log.writer(run, {}) as writer:
        for one in records:
            writer.add(one)


@pytest.fixture
def log(tmp_path):
    return DeliveryLog(str(tmp_path))


def test_what_another_run_started_meanwhile_is_not_started_again(log):
    claims = CommandClaims(log)
    assert claims.before("k") is None
    write(log, "other", record())
    assert claims.before("k") is None
    with claims.claim("k") as before:
        assert before == record()
    assert claims.before("k") == record()


@pytest.mark.parametrize(
    ("ended", "is_free"),
    [({"exit_status": 0}, False), ({"exit_status": 1, "problem": "no room"}, True)],
)
def test_a_command_that_failed_meanwhile_may_be_started_again(log, ended, is_free):
    claims = CommandClaims(log)
    # The name of the run that ended it comes first.
    write(log, "z", record())
    write(log, "a", record("ended", at="2026-11-30T10:00:01.000Z", **ended))
    with claims.claim("k") as before:
        assert (before is None) == is_free


def test_commands_are_repeated_once_by_runs_that_repeat_them(log):
    write(log, "first", record(), record("ended", exit_status=0))
    claims = CommandClaims(log, is_repeating=True)
    with claims.claim("k") as before:
        assert before is None
    write(log, "second", record())
    with claims.claim("k") as before:
        assert before is not None
    with claims.claim("another") as before:
        assert before is None


def test_of_runs_at_the_same_time_one_starts_each_command(log):
    runs, keys = 4, [f"k{number}" for number in range(25)]
    barrier = threading.Barrier(runs)

    def route(run: int) -> list[str]:
        claims, started = CommandClaims(log), []
        with log.writer(f"run{run}", {}) as writer:
            barrier.wait()
            for key in keys:
                with claims.claim(key) as before:
                    if before is None:
                        writer.add(record(key=key))
                        started.append(key)
        return started

    with ThreadPoolExecutor(runs) as pool:
        started = [key for each in pool.map(route, range(runs)) for key in each]
    assert sorted(started) == sorted(keys)
