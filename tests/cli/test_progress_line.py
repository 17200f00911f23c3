from __future__ import annotations

import json

import pytest

from pipeline.cli.console.progress_bar import LiveBar, ProgressLines, progress_event
from pipeline.cli.console.progress_line import PlainLines, clock_time, progress_line, seconds_left
from pipeline.execution import ProgressEvent
from pipeline.execution.progress import starting


def event(**changes: object) -> ProgressEvent:
    fields = {
        "videos_ended": 12,
        "active": ("a.mp4",),
        "active_share": 0.5,
        "frames_sampled": 9,
        "seconds_decoded": 2530.0,
    }
    return ProgressEvent(**(fields | changes))


def test_a_line_says_it_all():
    said = progress_line(
        event(videos_failed=1, readers_busy=0.97, encoders_busy=0.64), videos=340, elapsed_seconds=81.6
    )
    assert said == (
        "12/340 videos, 1 failed | 0:42:10 of video, 31.0 x real time | decoding 97 %, encoding 64 %"
        " | 0:01:22 elapsed, 0:35:38 left"
    )


def test_a_line_says_nothing_of_what_is_not_known():
    said = progress_line(
        event(videos_ended=0, active=(), active_share=0, seconds_decoded=0.0), videos=3, elapsed_seconds=0
    )
    assert said == "0/3 videos | 0:00:00 of video | 0:00:00 elapsed"


def test_skipped_videos_promise_nothing_of_the_others():
    left = seconds_left(event(videos_ended=90, videos_skipped=80, active_share=0), videos=100, elapsed_seconds=50)
    assert left == 50


@pytest.mark.parametrize("changes", [{"videos_ended": 5, "active_share": 0}, {"videos_ended": 0, "active_share": 0}])
def test_there_is_no_time_left_to_tell_at_the_end_and_the_beginning(changes):
    assert seconds_left(event(**changes), videos=5, elapsed_seconds=9) is None


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0:00:00"), (59.6, "0:01:00"), (3725, "1:02:05"), (360_000, "100:00:00")]
)
def test_clock_time(seconds, said):
    assert clock_time(seconds) == said


def test_plain_lines_come_every_half_minute_and_at_the_end(capsys):
    now = [0.0]
    lines = PlainLines(340, clock=lambda: now[0])
    for second in range(100):
        now[0] = float(second)
        lines.update(event(videos_ended=second))
    lines.close()
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split()[0] for line in err.splitlines()] == ["30/340", "60/340", "90/340", "99/340"]


def test_phases_of_the_start_are_said_at_once_and_again_while_they_last(capsys):
    now = [0.0]
    lines = PlainLines(3, clock=lambda: now[0])
    said = []

    def at(second: float, phase: str | None = None) -> None:
        now[0] = second
        if phase is None:
            lines.print_again()
        else:
            lines.update(starting(phase))
        said.extend(f"{second:.0f}: {line}" for line in capsys.readouterr().err.splitlines())

    at(1, "opening the index")
    at(2, "starting Ray")
    for second in range(3, 66):
        at(second)
    at(66, "loading the model")
    at(67, "loading the model")
    at(70, "")
    at(101)
    assert said == [
        "1: 0/3 videos | opening the index | 0:00:01 elapsed",
        "2: 0/3 videos | starting Ray | 0:00:02 elapsed",
        "32: 0/3 videos | starting Ray | 0:00:32 elapsed",
        "62: 0/3 videos | starting Ray | 0:01:02 elapsed",
        "66: 0/3 videos | loading the model | 0:01:06 elapsed",
    ]


def test_phases_as_json_are_printed_at_once(capsys):
    with ProgressLines(12, interval_seconds=60) as lines:
        lines.update(starting("starting Ray"))
        lines.update(starting("starting Ray"))
        lines.update(starting("loading the model"))
    told = [json.loads(line)["progress"] for line in capsys.readouterr().out.splitlines()]
    assert [fields.get("phase") for fields in told] == [None, "starting Ray", "loading the model"]
    assert progress_event(told[1]) == starting("starting Ray")


def test_a_line_is_not_said_twice(capsys):
    lines = PlainLines(12)
    lines.update(event())
    lines.close()
    lines.close()
    assert capsys.readouterr().err.count("12/12 videos") == 1


def test_the_time_gone_is_the_batchs_where_that_is_known(capsys):
    lines = PlainLines(24)
    lines.update(event(active_share=0.0), elapsed_seconds=3600.0)
    lines.close()
    assert "1:00:00 elapsed, 1:00:00 left" in capsys.readouterr().err


def test_progress_as_json_ends_with_how_far_the_batch_came(capsys):
    with ProgressLines(12, interval_seconds=60) as lines:
        lines.update(event(videos_ended=3))
        lines.update(event())
    first, last = (json.loads(line)["progress"] for line in capsys.readouterr().out.splitlines())
    assert (first, last["videos_ended"], progress_event(last)) == ({"videos": 12}, 12, event())
    assert last["elapsed_seconds"] >= 0


def test_a_batch_that_said_nothing_has_no_last_line(capsys):
    PlainLines(0).close()
    assert capsys.readouterr().err == ""


def test_a_bar_that_learns_later_how_many_there_are_says_so_without_a_terminal(capsys):
    with LiveBar(0) as bar:
        bar.set_total(340)
        bar.update(event())
    assert capsys.readouterr().err.startswith("12/340 videos")
