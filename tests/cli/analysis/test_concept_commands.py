"""`momentseek concept`, `momentseek concepts`, and concepts in `momentseek search`, with the demo's model."""

from __future__ import annotations

import json
import shutil

import pytest

# Three of the sample films.
HATS = ("warehouse-shift.mp4", "fire-drill.mp4", "street-corner.mp4")


@pytest.fixture
def copied_films(films_library, tmp_path):
    """The options that name a library of films which a test may change."""
    shutil.copytree(films_library, tmp_path / "films")
    return ("-l", tmp_path / "films")


@pytest.fixture
def marked(momentseek, copied_films):
    """The same with three yes and three no of "a vehicle", from the answers of the text."""
    found = momentseek(
        "search", "a vehicle", "--per-video", 3, "--min-score", 0, "-n", 40, *copied_films, "--json"
    ).objects()
    places = [f"{one['video_id']}@{one['best_seconds']}" for one in found]
    for verdict, some in (((), places[:4]), (("--no",), places[-4:])):
        assert momentseek("mark", "vehicle", *some, *verdict, *copied_films).code == 0
    return copied_films


def test_a_concept_is_fitted_listed_asked_for_and_removed(momentseek, marked):
    fitted = momentseek("concept", "vehicle", "--text", "a vehicle", *marked)
    assert fitted.code == 0, fitted.err
    assert "from 4 yes and 4 no of 'vehicle', starting from the text 'a vehicle'" in fitted.err
    (listed,) = momentseek("concepts", *marked, "--json").objects()
    assert (listed["name"], listed["yes"], listed["no"], listed["is_current"]) == ("vehicle", 4, 4, True)
    assert 0 <= listed["recall"] <= 1
    assert "vehicle" in momentseek("concepts", *marked).out
    answer = momentseek("search", "concept:vehicle", *marked, "--json")
    assert (answer.code, bool(answer.out)) == (0, True)
    mixed = momentseek("search", "a person", "--not", "concept:vehicle", *marked)
    assert mixed.code == 0
    assert "up to date" in momentseek("concept", "vehicle", *marked).err
    assert momentseek("concept", "vehicle", "--remove", *marked).code == 0
    gone = momentseek("search", "concept:vehicle", *marked)
    assert (gone.code, "no concept 'vehicle'" in gone.err) == (2, True)
    assert len(momentseek("marks", "vehicle", *marked, "--json").objects()) == 8


def test_marks_that_changed_are_said_and_fitted_in_a_search(momentseek, marked):
    momentseek("concept", "vehicle", *marked)
    momentseek("mark", "vehicle", "fire-drill.mp4@0.5", "--no", *marked)
    assert "marks changed" in momentseek("concepts", *marked).out
    assert "fitted again, to 4 yes and 5 no" in momentseek("search", "concept:vehicle", *marked).err
    assert "fitted again" not in momentseek("search", "concept:vehicle", *marked).err


def test_too_few_examples_are_kept_and_say_what_is_lacking(momentseek, copied_films):
    few = momentseek("concept", "hats", "--like", f"{HATS[0]}@2", "--unlike", f"{HATS[1]}@3", *copied_films)
    assert few.code == 2
    assert "needs 2 more yes and 2 more no" in few.err
    assert len(momentseek("marks", "hats", *copied_films, "--json").objects()) == 2
    assert momentseek("concepts", *copied_films).out == ""
    wrong = momentseek("concept", "hats", "--like", f"{HATS[0]}@9", "--unlike", "gone.mp4@3", *copied_films)
    assert (wrong.code, "no video 'gone.mp4'" in wrong.err) == (2, True)
    assert len(momentseek("marks", "hats", *copied_films, "--json").objects()) == 2


def test_names_and_files_that_are_wrong_are_refused(momentseek, marked, tmp_path):
    assert momentseek("concept", "vehicle", *marked).code == 0
    assert "easily confused with" in momentseek("concept", "Vehicle", *marked).err
    assert "did you mean 'vehicle'" in momentseek("search", "concept:vehicel", *marked).err
    assert "cannot be the name of a concept" in momentseek("concept", "a b", *marked).err
    file = tmp_path / "films" / "concepts" / "vehicle.json"
    fields = json.loads(file.read_text())
    file.write_text(json.dumps({**fields, "encoder_fingerprint": "another"}))
    refused = momentseek("search", "concept:vehicle", *marked)
    assert (refused.code, "another encoder" in refused.err) == (2, True)
    assert momentseek("concept", "vehicle", "--refit", *marked).code == 0
    assert momentseek("search", "concept:vehicle", *marked).code == 0


def test_a_removed_video_takes_its_marks_from_the_concept(momentseek, marked):
    momentseek("concept", "vehicle", *marked)
    before = momentseek("marks", "vehicle", *marked, "--json").objects()
    gone = before[0]["video_id"]
    assert momentseek("remove", gone, *marked).code == 0
    after = momentseek("marks", "vehicle", *marked, "--json").objects()
    assert after == [one for one in before if one["video_id"] != gone]
    assert "marks changed" in momentseek("concepts", *marked).out
