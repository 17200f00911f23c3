"""`momentseek index migrate`, and what the other commands say of an index that lacks videos; remedies are run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def library(momentseek, config, make_video, tmp_path: Path) -> Path:
    """Two videos, with the index in the library's own folder."""
    make_video("b.mp4", grey=200)
    done = momentseek("index", make_video(), tmp_path / "b.mp4", "-c", config, "--set", "index.backend=milvus")
    assert done.code == 0
    return tmp_path / "library"


def run_remedy(momentseek, message: str):
    """Run the command that a message ends with, as printed."""
    [command] = re.findall(r"momentseek (index [^\n]*?)$", message.strip(), re.MULTILINE)
    return momentseek(*shlex.split(command))


def search(momentseek, library: Path, *more: object):
    return momentseek("search", "a thing", "-l", library, "--min-score", 0, *more)


def test_another_index_is_refused_and_the_command_that_moves_it_works(momentseek, library, tmp_path, make_video):
    other = tmp_path / "other rows"
    refused = momentseek("index", make_video("c.mp4", grey=30), "-l", library, "--set", f"index.uri={other}")
    assert (refused.code, refused.out, other.exists()) == (2, "", False)
    assert len(momentseek("videos", "-l", library, "--json").objects()) == 2
    moved = run_remedy(momentseek, refused.err)
    assert moved.code == 0
    assert moved.out.startswith(f"the index is in '{other}': 2 videos, ")
    assert "the old index in the library's own folder is left as it is" in moved.err
    assert momentseek("index", tmp_path / "c.mp4", "-l", library, "--in-process").code == 0
    found = search(momentseek, library, "--json")
    assert (len({moment["video_id"] for moment in found.objects()}), found.err) == (3, "")


def test_back_into_the_librarys_own_folder(momentseek, library, tmp_path):
    assert momentseek("index", "migrate", tmp_path / "rows", "-l", library).code == 0
    shutil.rmtree(library / "index")
    [moved] = momentseek("index", "migrate", "--own", "-l", library, "--json").objects()
    assert (moved["videos"], moved["uri"]) == (2, None)
    shutil.rmtree(tmp_path / "rows")
    assert search(momentseek, library).err == ""


@pytest.mark.parametrize("arguments", [(), ("",), ("somewhere", "--own")])
def test_a_place_has_to_be_named(momentseek, library, arguments):
    result = momentseek("index", "migrate", *arguments, "-l", library)
    assert (result.code, "give the new place" in result.err) == (2, True)


def test_a_place_that_cannot_be_used_changes_nothing(momentseek, library):
    for place, code in (("http://127.0.0.1:9", 1), ("ftp://somewhere", 2)):
        assert momentseek("index", "migrate", place, "-l", library).code == code
        assert search(momentseek, library).err == ""


def test_no_library_is_made(momentseek, tmp_path):
    result = momentseek("index", "migrate", tmp_path / "rows", "-l", tmp_path / "none")
    assert (result.code, list(tmp_path.iterdir())) == (2, [])


def test_an_index_that_was_lost_is_said_and_the_remedy_works(momentseek, library):
    shutil.rmtree(library / "index")
    result = search(momentseek, library)
    assert (result.code, result.out) == (1, "")
    assert "2 videos are stored, but this index is empty: momentseek index rebuild" in result.err
    assert run_remedy(momentseek, result.err).code == 0
    assert search(momentseek, library).err == ""


def test_a_partial_index_is_said_by_every_command_that_asks_it(momentseek, library, tmp_path):
    shutil.rmtree(library / "index")
    # What is named is written again, and nothing else.
    again = momentseek("index", tmp_path / "b.mp4", "-l", library, "--in-process")
    result = search(momentseek, library)
    assert len({line.split()[1] for line in result.out.splitlines()[1:]}) == 1
    for said in (again.err, result.err, search(momentseek, library, "--json").err):
        assert "warning: incomplete: the index holds 1 of 2 stored videos" in said
    [explained] = search(momentseek, library, "--json", "--explain").objects()
    remedy = f"momentseek index rebuild --library {library}"
    assert explained["incomplete"] == {"stored_videos": 2, "indexed_videos": 1, "remedy": remedy}
    assert run_remedy(momentseek, result.err).code == 0
    assert search(momentseek, library).err == ""
    assert search(momentseek, library, "--json", "--explain").objects()[0]["incomplete"] is None


def test_an_evaluation_on_a_partial_index_says_so(momentseek, library, tmp_path):
    shutil.rmtree(library / "index")
    momentseek("index", tmp_path / "b.mp4", "-l", library, "--in-process")
    labels = tmp_path / "labels.jsonl"
    labels.write_text('{"qid": 1, "query": "a thing", "vid": "b", "relevant_windows": [[0, 2]]}\n')
    result = momentseek("evaluate", labels, "-l", library)
    assert "warning: incomplete: the index holds 1 of 2 stored videos" in result.err


def test_questions_of_a_file_are_each_told(momentseek, library, tmp_path):
    shutil.rmtree(library / "index")
    momentseek("index", tmp_path / "b.mp4", "-l", library, "--in-process")
    questions = tmp_path / "questions.jsonl"
    questions.write_text('{"shows": "a"}\n{"shows": "b"}\n')
    answers = momentseek("search", "--queries", questions, "-l", library).objects()
    assert [answer["incomplete"]["indexed_videos"] for answer in answers] == [1, 1]


def test_an_index_elsewhere_that_is_only_asked_says_where_the_real_one_is(momentseek, library, tmp_path):
    result = search(momentseek, library, "--set", f"index.uri={tmp_path / 'rows'}")
    assert result.code == 1
    assert (
        "2 videos are stored, but this index is empty: the library's index is in the library's own folder" in result.err
    )
    assert "set index.uri=null, or move it: momentseek index migrate" in result.err
    assert search(momentseek, library).err == ""
