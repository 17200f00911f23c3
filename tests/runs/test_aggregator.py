from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.execution.progress import ProgressEvent
from pipeline.execution.stage_times import StageSeconds
from pipeline.runs.aggregator import RunAggregator, cause_of
from pipeline.runs.report import RunFacts, RunReport
from pipeline.types import Source, Status, VideoReport

FACTS = RunFacts(
    run_id="r",
    job_id=None,
    momentseek="1",
    library="lib",
    encoder="fake",
    fingerprints={"sampling": "s"},
    configuration={"library": "lib"},
    sources=100_000,
    first_sources=("a.mp4",),
)


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def account(clock: Clock) -> RunAggregator:
    return RunAggregator(FACTS, clock=clock)


def report(number: int = 0, status: Status = Status.DONE, **fields: object) -> VideoReport:
    said = fields.pop("problem", "as it is")
    problem = None if status is Status.DONE else said
    return VideoReport(source=Source(f"/v/{number}.mp4"), status=status, problem=problem, **fields)


def event(decoded: float, **stages: float) -> ProgressEvent:
    return ProgressEvent(
        videos_ended=0,
        active=(),
        active_share=0,
        frames_sampled=int(decoded),
        seconds_decoded=decoded,
        stages=StageSeconds(**stages),
    )


def test_what_was_worked_on_is_added_up(account):
    for status in Status:
        account.add_report(report(1, status, duration_seconds=10.0, frames_sampled=5, frames_decoded=20, segments=3))
    found = account.report("finished")
    assert found.counts == {"done": 1, "partial": 1, "skipped": 1, "failed": 1}
    assert (found.video_seconds, found.frames_sampled, found.frames_decoded, found.segments) == (20, 10, 40, 6)
    assert found.ended == 4


def test_periods_become_longer_and_lose_nothing(account, clock):
    for second in range(5000):
        clock.now += 1
        account.add_progress(event(2.0 * (second + 1), decode=0.5 * (second + 1)))
        account.add_report(report(second))
        assert len(account.report("running").periods) <= 200 if second % 500 == 0 else True
    found = account.report("finished")
    assert (found.period_seconds, len(found.periods)) == (32, 157)
    assert sum(period.seconds_decoded for period in found.periods) == pytest.approx(10_000)
    assert sum(period.decode_seconds for period in found.periods) == pytest.approx(2500)
    assert sum(period.videos_ended for period in found.periods) == 5000
    assert {period.seconds_decoded for period in found.periods[1:-1]} == {64.0}


def test_time_in_which_nothing_happened_is_there_too(account, clock):
    account.add_report(report())
    clock.now += 99.5
    found = account.report("running")
    assert (len(found.periods), found.periods[0].videos_ended, found.elapsed_seconds) == (100, 1, 99.5)


def test_the_slowest_are_kept_slowest_first(account):
    for number in range(1000):
        account.add_report(report(number, elapsed_seconds=float(number * 37 % 1000)))
    slowest = account.report("finished").slowest
    assert [video.elapsed_seconds for video in slowest] == [float(999 - place) for place in range(20)]


def test_skipped_videos_are_not_slow(account):
    account.add_report(report(1, Status.SKIPPED, elapsed_seconds=9.0))
    assert account.report("finished").slowest == ()


def test_failures_are_gathered_by_cause(account):
    for number in range(30):
        account.add_report(
            report(number, Status.FAILED, problem=f"no sign of life for {number} s in '/v/{number}.mp4'")
        )
    account.add_report(report(99, Status.FAILED, problem="there is no such file"))
    first, second = account.report("finished").failures
    assert (first.cause, first.videos, len(first.examples)) == ("no sign of life for … s in …", 30, 5)
    assert first.examples[0].problem == "no sign of life for 0 s in '/v/0.mp4'"
    assert (second.cause, second.videos) == ("there is no such file", 1)


def test_twenty_thousand_videos_make_no_larger_report_than_a_thousand(account, clock):
    sizes = []
    for number in range(20_000):
        clock.now += 0.5
        status = Status.FAILED if number % 3 == 0 else Status.DONE
        letters = "".join(chr(ord("a") + int(digit)) for digit in str(number))
        account.add_report(report(number, status, problem=f"cause {letters} " + "x" * 5000, elapsed_seconds=number))
        if number in (999, 19_999):
            sizes.append(len(account.report("running").model_dump_json()))
    assert sizes[1] < 1.2 * sizes[0] < 500_000
    causes = account.report("finished").failures
    assert (len(causes), causes[0].cause) == (51, "other causes")
    assert sum(cause.videos for cause in causes) == 6_667


@pytest.mark.parametrize(
    ("problem", "cause"),
    [
        ("there is no such file", "there is no such file"),
        ("its reader gave no sign of life for 300 s", "its reader gave no sign of life for … s"),
        ("no H264 in 's3://b/a b.mp4' (mp4v)", "no H264 in … (mp4v)"),
        ("s3://bucket/key.mp4: denied", "… denied"),
        ("/data/a.mp4: moov atom at 0xdeadbeef", "…: moov atom at …"),
        ("1:02.5 of 3:10.500 could be decoded", "… of … could be decoded"),
        ("", "without a message"),
    ],
)
def test_a_cause_is_a_problem_without_names_and_numbers(problem, cause):
    assert cause_of(problem) == cause


def test_names_that_are_no_text_can_be_written(account):
    account.add_report(VideoReport(source=Source("/v/\udc80.mp4"), status=Status.FAILED, problem="bad '\udc80'"))
    written = account.report("finished").model_dump_json()
    assert RunReport.model_validate_json(written).failures[0].examples[0].uri == r"/v/\udc80.mp4"


@pytest.mark.parametrize(
    ("silent_seconds", "stored_seconds", "outcome"),
    [
        (299, None, "running"),
        (302, None, "lost"),
        (302, 302, "lost"),
        # By the clock of its storage it was written just now: its own machine's clock is slow.
        (7200, 1, "running"),
        # The reader's clock is slow.
        (-7200, None, "running"),
    ],
)
def test_a_run_is_lost_that_was_not_heard_of_for_five_heartbeats(account, silent_seconds, stored_seconds, outcome):
    report = account.report("running", heartbeat_seconds=60)
    now = datetime.fromisoformat(report.updated_at) + timedelta(seconds=silent_seconds)
    stored = None if stored_seconds is None else now - timedelta(seconds=stored_seconds)
    assert report.judged(now=now, written_at=stored).outcome == outcome


def test_a_run_that_has_ended_is_never_lost(account):
    later = datetime.now(UTC) + timedelta(days=365)
    assert account.report("failed", "why").judged(now=later).outcome == "failed"


def test_secrets_in_names_are_left_to_the_caller(clock):
    account = RunAggregator(FACTS, clock=clock, name_of=lambda uri: uri.partition("?")[0])
    account.add_report(VideoReport(source=Source("https://x/a.mp4?key=1"), status=Status.FAILED, problem="403"))
    assert "key" not in account.report("finished").model_dump_json()


def test_a_run_counts_from_when_its_work_began(clock: Clock) -> None:
    report = RunAggregator(FACTS, clock=clock, began=clock.now - 45).report("running")
    began = datetime.strptime(report.started_at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert report.elapsed_seconds == 45
    assert timedelta(seconds=44) <= datetime.now(UTC) - began <= timedelta(seconds=60)
