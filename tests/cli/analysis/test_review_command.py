"""`momentseek review`: the queue on the terminal, as JSON, from flags and by answers."""

from __future__ import annotations

import io
import json

import pytest

SUBJECT = "a grey wall"


@pytest.fixture
def typed(momentseek, monkeypatch):
    """Runs a command that reads these keys, a line each."""

    def run(keys: str, *arguments: object):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{key}\n" for key in keys)))
        return momentseek(*arguments)

    return run


def queue(momentseek, options, *more: object) -> list[dict[str, object]]:
    return momentseek("review", SUBJECT, "--json", *more, *options).objects()


def marks(momentseek, options) -> list[str]:
    return [str(one["verdict"]) for one in momentseek("marks", *options, "--json").objects()]


def test_answers_become_marks_and_do_not_come_again(momentseek, four, typed):
    waiting = queue(momentseek, four)
    assert len(waiting) >= 3
    result = typed("ynsq", "review", SUBJECT, *four)
    assert result.code == 0
    assert f"1 of {len(waiting)}" in result.out
    assert "2 marks written, 1 skipped" in result.err
    assert sorted(marks(momentseek, four)) == ["no", "yes"]
    left = queue(momentseek, four)
    answered = [(one["video_id"], one["start_seconds"]) for one in waiting[:2]]
    assert not set(answered) & {(one["video_id"], one["start_seconds"]) for one in left}


def test_an_answer_can_be_undone(momentseek, four, typed):
    result = typed("uyusunq", "review", SUBJECT, *four)
    assert "nothing to undo" in result.err
    assert "1 mark written, 0 skipped" in result.err
    assert marks(momentseek, four) == ["no"]


def test_other_keys_and_the_end_of_input_do_no_harm(momentseek, four, typed):
    result = typed("xy", "review", SUBJECT, *four)
    assert (result.code, "keys: y yes" in result.err) == (0, True)
    assert marks(momentseek, four) == ["yes"]


def test_an_interrupt_loses_no_answer(momentseek, four, monkeypatch):
    keys = iter("yn")

    def interrupted() -> str:
        try:
            return next(keys)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr("pipeline.cli.console.review_walk._read_key", interrupted)
    result = momentseek("review", SUBJECT, *four)
    assert (result.code, "2 marks written" in result.err) == (130, True)
    assert sorted(marks(momentseek, four)) == ["no", "yes"]


def test_a_picture_of_each_item_is_written_and_drawn(momentseek, four, typed, tmp_path):
    from PIL import Image

    sheets = tmp_path / "sheets"
    result = typed("y", "review", SUBJECT, "--sheets", sheets, "--blocks", *four)
    first = sorted(sheets.glob("*.png"))[0]
    assert f"picture: {first}" in result.out
    assert "\u2580" in result.out
    with Image.open(first) as picture:
        assert picture.size > (600, 400)


def test_without_a_terminal_of_colours_no_blocks_are_drawn(typed, four):
    assert "\u2580" not in typed("q", "review", SUBJECT, *four).out


def test_a_video_that_is_gone_is_asked_about_without_a_picture(momentseek, four, typed, tmp_path):
    for path in tmp_path.rglob("*.mp4"):
        path.unlink()
    result = typed("y", "review", SUBJECT, *four)
    assert "no picture:" in result.out
    assert marks(momentseek, four) == ["yes"]


def test_the_queue_goes_out_and_its_answers_come_back_as_json(momentseek, four, tmp_path):
    waiting = queue(momentseek, four, "-n", 3, "--sheets", tmp_path / "sheets")
    assert len(waiting) == 3
    assert all((tmp_path / "sheets" / str(one["sheet"]).rpartition("/")[2]).is_file() for one in waiting)
    verdicts = ("yes", "no", "skip")
    answers = tmp_path / "answers.jsonl"
    lines = [json.dumps({**one, "verdict": verdict}) for one, verdict in zip(waiting, verdicts, strict=True)]
    answers.write_text("\n".join(lines))
    result = momentseek("review", "--answers", answers, *four)
    assert (result.code, "2 marks written, 1 skipped" in result.err) == (0, True)
    assert sorted(marks(momentseek, four)) == ["no", "yes"]


def test_a_wrong_answer_writes_nothing(momentseek, four, tmp_path):
    one = queue(momentseek, four, "-n", 1)[0]
    answers = tmp_path / "answers.jsonl"
    for wrong in ({"verdict": "maybe"}, {"verdict": "yes", "video_id": "gone"}, {}):
        answers.write_text("\n".join([json.dumps({**one, "verdict": "yes"}), json.dumps({**one, **wrong})]))
        assert momentseek("review", "--answers", answers, *four).code == 2
    assert marks(momentseek, four) == []


def test_flagged_parts_are_reviewed_by_score(momentseek, four, typed, tmp_path):
    ids = [str(one["video_id"]) for one in momentseek("videos", *four, "--json").objects()]
    flags = tmp_path / "flags.jsonl"
    part = {"start_seconds": 0.5, "end_seconds": 2.5, "subject": "no hat", "severity": "high", "reason": "hats"}
    rows = [{**part, "video_id": ids[0], "score": 0.6}, {**part, "video_id": ids[1], "score": 0.9}]
    flags.write_text("\n".join(json.dumps(row) for row in [*rows, rows[0]]))
    found = momentseek("review", "--flags", flags, "--json", *four).objects()
    assert [one["video_id"] for one in found] == [ids[1], ids[0]]
    assert typed("n", "review", "--flags", flags, *four).code == 0
    (mark,) = momentseek("marks", "no hat", *four, "--json").objects()
    assert (mark["video_id"], mark["start_seconds"], mark["end_seconds"]) == (ids[1], 0.5, 2.5)
    assert [one["video_id"] for one in momentseek("review", "--flags", flags, "--json", *four).objects()] == [ids[0]]
    flags.write_text(json.dumps({**part, "video_id": "gone"}))
    assert momentseek("review", "--flags", flags, *four).code == 2


def test_wrong_requests_are_refused(momentseek, four, tmp_path):
    assert momentseek("review", *four).code == 2
    assert momentseek("review", SUBJECT, "--exit", 0.9, "--enter", 0.1, *four).code == 2
    assert "nearest: yard.mp4" in momentseek("review", SUBJECT, "--video", "yrad.mp4", *four).err
    assert momentseek("review", "concept:none", *four).code == 2


def test_a_label_of_a_label_file_scores_the_frames(momentseek, four, tmp_path):
    labels = tmp_path / "labels.yaml"
    labels.write_text("labels:\n  wall: [a grey wall]\n  door: [a door]\n")
    found = momentseek("review", "wall", "--labels", labels, "--json", *four)
    assert (found.code, {one["subject"] for one in found.objects()}) == (0, {"wall"})
    wrong = momentseek("review", "wal", "--labels", labels, *four)
    assert (wrong.code, "did you mean 'wall'" in wrong.err) == (2, True)
