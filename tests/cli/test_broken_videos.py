"""One video's file is broken: the others are listed, searched, compared and removed, and the exit code says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

BIDI, ESCAPE = "\u202e", "\x1b[2J"


@pytest.fixture
def lite(config, tmp_path):
    """The options that name a library with its index in Milvus Lite."""
    return "-c", config, "--set", "index.backend=milvus"


@pytest.fixture
def broken(momentseek, lite, make_video, tmp_path) -> Path:
    """The broken file of a.mp4, beside the whole one of b.mp4."""
    indexed = momentseek("index", make_video("a.mp4"), make_video("b.mp4", grey=10), *lite)
    assert indexed.code == 0
    # The sample of the library's frames is kept while both are whole.
    assert momentseek("search", "a thing", *lite).code == 0
    ids = {fields["names"][0]: fields["video_id"] for fields in momentseek("videos", "--json", *lite).objects()}
    [file] = (tmp_path / "library").glob(f"frames/*/{ids[str(tmp_path / 'a.mp4')]}.parquet")
    file.write_bytes(file.read_bytes()[:1000])
    return file


def test_the_others_are_listed(momentseek, lite, broken) -> None:
    result = momentseek("videos", *lite)
    assert (result.code, "b.mp4" in result.out) == (1, True)
    assert f"error: {broken}: is broken" in result.err
    result = momentseek("videos", "--json", *lite)
    assert (result.code, len(result.objects())) == (1, 1)


def test_the_others_are_searched(momentseek, lite, broken, tmp_path) -> None:
    result = momentseek("search", "a thing", "--min-score", "0", "--json", *lite)
    assert (result.code, {moment["uri"] for moment in result.objects()}) == (1, {str(tmp_path / "b.mp4")})
    assert result.err.count(f"error: not searched: {broken}: is broken") == 1
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"shows": "a thing", "min_score": 0}\n')
    result = momentseek("search", "--queries", questions, *lite)
    [answer] = result.objects()
    assert (result.code, len(answer["moments"])) == (1, 1)
    assert str(answer["error"]).startswith("not searched: ")


def test_the_others_are_searched_where_the_sample_of_the_frames_is_gone(momentseek, lite, broken) -> None:
    (broken.parent / "background.npz").unlink()
    result = momentseek("search", "a thing", "--min-score", "0", "--json", *lite)
    assert (result.code, len(result.objects())) == (1, 1)


def test_the_others_are_compared(momentseek, lite, broken) -> None:
    result = momentseek("index", "verify", *lite)
    assert (result.code, "1 video differs" in result.err) == (1, True)
    assert broken.stem in result.out
    assert "rebuild" not in result.err


def test_the_others_and_itself_can_be_removed(momentseek, lite, broken, tmp_path) -> None:
    assert "removed" in momentseek("remove", "b.mp4", *lite).out
    result = momentseek("remove", "a.mp4", *lite)
    assert (result.code, "the file of a video cannot be read" in result.err) == (2, True)
    result = momentseek("remove", broken.stem, *lite)
    assert (result.code, "0 found afterwards" in result.out) == (0, True)
    assert not broken.exists()
    assert momentseek("index", tmp_path / "a.mp4", *lite).code == 0


def test_the_others_are_indexed(momentseek, lite, broken, make_video, tmp_path) -> None:
    result = momentseek("index", tmp_path / "a.mp4", tmp_path / "b.mp4", make_video("c.mp4", grey=200), *lite)
    assert result.code == 1
    assert {line.split()[0]: line.split()[1] for line in result.out.splitlines()} == {
        "failed": str(tmp_path / "a.mp4"),
        "skipped": str(tmp_path / "b.mp4"),
        "done": str(tmp_path / "c.mp4"),
    }


def test_names_command_no_terminal(momentseek, lite, make_video, tmp_path) -> None:
    """Every name that a library holds is escaped, whoever prints it."""
    hostile = make_video(f"a{ESCAPE}{BIDI}.mp4")
    missing = tmp_path / f"gone{ESCAPE}{BIDI}.mp4"
    assert momentseek("index", hostile, missing, *lite).code == 1
    [run] = (tmp_path / "library").glob("runs/*.json")
    report = json.loads(run.read_text())
    run.write_text(json.dumps({**report, "encoder": ESCAPE, "job_id": BIDI, "counts": {BIDI: 1}}))
    commands = (
        ("videos", *lite),
        ("videos", "--failed", *lite),
        ("search", "a thing", "--min-score", "0", "--explain", *lite),
        ("search", "a thing", "--min-score", "1", *lite),
        ("runs", *lite),
        ("runs", "show", *lite),
        ("index", hostile, *lite),
        ("--debug", "index", hostile, *lite),
        ("index", "verify", *lite),
        ("remove", hostile, *lite),
    )
    for command in commands:
        result = momentseek(*command)
        for character in (ESCAPE[0], BIDI):
            assert character not in result.out + result.err, (command, result)
