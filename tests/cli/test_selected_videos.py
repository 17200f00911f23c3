"""Videos selected by pattern, metadata or missing files: listed, described and removed."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from pipeline import Library
from pipeline.errors import QueryError, StoreError
from pipeline.run_config import load_run_config
from pipeline.store import ParquetStore


def listing(momentseek, options):
    def run(*arguments: object) -> list[str]:
        """The file names of the videos that `momentseek videos` lists."""
        result = momentseek("videos", *arguments, *options, "--json")
        assert result.code == 0, result.err
        return sorted(Path(video["names"][-1]).name for video in result.objects())

    return run


@pytest.fixture
def listed(momentseek, four):
    return listing(momentseek, four)


def test_the_list_shows_metadata(momentseek, same_four):
    out = momentseek("videos", *same_four).out
    assert out.splitlines()[0].split() == ["id", "status", "duration", "frames", "metadata", "names"]
    assert "camera=gate, floor=1, lit=x  " in out
    assert "camera=yard, floor=1, lit=true  " in out


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("--where", "camera=gate"), ["a.mp4", "b.mp4"]),
        (("--where", "camera=gate", "--where", "floor=2"), ["b.mp4"]),
        (("--where", "lit=true"), ["odd[1].mp4"]),
        (("yard",), ["yard.mp4"]),
        (("*.mp4",), ["a.mp4", "b.mp4", "odd[1].mp4", "yard.mp4"]),
        (("?.mp4",), ["a.mp4", "b.mp4"]),
        (("[by]*", "a"), ["a.mp4", "b.mp4", "yard.mp4"]),
        # A name that is there is no pattern.
        (("odd[1].mp4",), ["odd[1].mp4"]),
        (("gate/*",), ["a.mp4", "b.mp4"]),
        (("./*.mp4",), ["odd[1].mp4", "yard.mp4"]),
        (("**/b.*",), ["b.mp4"]),
        (("**",), ["a.mp4", "b.mp4", "odd[1].mp4", "yard.mp4"]),
        (("*.mp4", "--where", "floor=1"), ["a.mp4", "odd[1].mp4"]),
        (("--missing",), []),
    ],
)
def test_videos_are_selected(momentseek, same_four, monkeypatch, arguments, wanted):
    monkeypatch.chdir(Path(same_four[1]).parent)
    assert listing(momentseek, same_four)(*arguments) == wanted


@pytest.mark.parametrize("command", [("videos",), ("remove", "--dry-run"), ("metadata",), ("search", "x")])
def test_a_name_that_no_metadata_has_is_refused_with_those_that_there_are(momentseek, same_four, command):
    result = momentseek(*command, "--where", "camra=gate", *same_four)
    assert (result.code, result.out) == (2, "")
    assert "no video of this library has metadata 'camra'; did you mean 'camera'? known: 'camera', 'floor', 'lit'" in (
        result.err
    )


@pytest.mark.parametrize("command", [("videos",), ("remove", "--dry-run"), ("metadata",), ("search", "x")])
@pytest.mark.parametrize(
    ("where", "hint"),
    [
        (("--where", "camera=gaet"), "camera is never 'gaet'; it is 'gate', 'yard'"),
        (("--where", "camera=Gate"), "camera is never 'Gate'; it is 'gate', 'yard'"),
        (("--where", "floor=7"), "floor is never 7; it is "),
        (("--where", "floor=01"), "floor is never '01'; it is 1, 2"),
        (("--where", "lit=x", "--where", "floor=2"), "no video has lit = 'x' and floor = 2 together"),
    ],
)
def test_a_value_that_no_video_has_is_answered_with_those_that_there_are(momentseek, same_four, command, where, hint):
    result = momentseek(*command, *where, *same_four)
    assert (result.code, result.out) == (0, "")
    assert hint in result.err


def test_the_explanation_of_a_search_has_the_hint(momentseek, same_four):
    [answer] = momentseek("search", "x", "--where", "camera=gaet", *same_four, "--explain", "--json").objects()
    assert answer["explanation"]["hint"] == "camera is never 'gaet'; it is 'gate', 'yard'"
    assert "Filters: camera = 'gaet' (camera is never" in (
        momentseek("search", "x", "--where", "camera=gaet", *same_four, "--explain").out
    )


def test_a_library_without_metadata_says_how_to_give_some(momentseek, config, make_video):
    momentseek("index", make_video(), "-c", config)
    result = momentseek("videos", "--where", "camera=gate", "-c", config)
    assert (result.code, "momentseek metadata" in result.err) == (2, True)


def test_what_is_not_unicode_for_a_terminal_is_escaped(momentseek, config, make_video, tmp_path):
    make_video("a.mp4")
    (tmp_path / "films.jsonl").write_text('{"uri": "a.mp4", "camera": "\\u001b[31m"}\n')
    momentseek("index", tmp_path / "films.jsonl", "-c", config)
    assert "\x1b" not in momentseek("videos", "-c", config).out
    assert "\x1b" not in momentseek("videos", "--where", "camera=x", "-c", config).err


def test_metadata_is_changed_without_the_file(momentseek, four, listed, tmp_path):
    for path in tmp_path.rglob("*.mp4"):
        path.unlink()
    result = momentseek(
        "metadata", "a.mp4", "yard.mp4", "--set", "camera=dock", "--set", "take=3", "--unset", "floor", *four
    )
    assert (result.code, result.err) == (0, "2 videos changed\n")
    assert "camera=dock, lit=x, take=3  " in result.out
    assert listed("--where", "camera=dock", "--where", "take=3") == ["a.mp4", "yard.mp4"]
    assert listed("--where", "floor=1") == ["odd[1].mp4"]
    found = momentseek("search", "x", "--where", "camera=dock", "--min-score", 0, *four, "--json").objects()
    assert sorted({Path(moment["uri"]).name for moment in found}) == ["a.mp4", "yard.mp4"]
    assert momentseek("index", "verify", *four).code == 0
    again = momentseek("metadata", "a.mp4", "b.mp4", "--set", "camera=dock", *four)
    assert again.err == "1 video changed, 1 unchanged\n"


def test_metadata_of_many_is_changed_by_what_they_have(momentseek, four, listed):
    dry = momentseek("metadata", "--where", "camera=gate", "--set", "camera=west gate", "--dry-run", *four)
    assert (dry.err, listed("--where", "camera=gate")) == ("2 videos would be changed\n", ["a.mp4", "b.mp4"])
    changed = momentseek("metadata", "--where", "camera=gate", "--set", "camera=west gate", "--json", *four).objects()
    assert [video["metadata"]["camera"] for video in changed] == ["west gate"] * 2
    assert listed("--where", "camera=west gate") == ["a.mp4", "b.mp4"]


def test_metadata_is_shown_where_nothing_is_changed(momentseek, same_four):
    result = momentseek("metadata", "gate/*", "--where", "floor=2", *same_four)
    assert result.code == 2
    result = momentseek("metadata", "[ab].mp4", "--where", "floor=2", *same_four)
    [header, line] = result.out.splitlines()
    assert (header.split(), "camera=gate, floor=2" in line) == (["id", "metadata", "name"], True)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--set", "camera=x"), "name the videos, or select them with --where"),
        (("a.mp4", "--set", "camera"), "--set 'camera': expected NAME=VALUE"),
        (("a.mp4", "--set", "a]=1"), "metadata cannot be set: metadata 'a]'"),
        (("a.mp4", "--unset", "camra"), "no video of this library has metadata 'camra'; did you mean 'camera'?"),
        (("a.mp4", "--set", "camera=x", "--unset", "camera"), "cannot be set and removed at once"),
        (("a.mp4", "--set", "recorded_at=21.11.2026 14:30"), "is not an ISO 8601 date and time; write it as 2026-"),
        (("a.mp4", "--set", "index.backend=memory"), "this is a setting, but here --set changes metadata"),
        (("nowhere.mp4", "--set", "camera=x"), "no video 'nowhere.mp4' in this library; it has 4 videos"),
        (("n*.mp4", "--set", "camera=x"), "no video of this library matches 'n*.mp4'"),
    ],
)
def test_what_cannot_be_set_is_refused(momentseek, four, listed, arguments, problem):
    result = momentseek("metadata", *arguments, *four)
    assert (result.code, result.out) == (2, "")
    assert problem in result.err
    assert listed("--where", "camera=gate") == ["a.mp4", "b.mp4"]


@pytest.mark.parametrize("backend", ["memory", "milvus"])
@pytest.mark.parametrize("writes", [0, 1, 2, 3])
def test_a_change_that_is_ended_early_is_completed_by_the_same_command(
    config, make_video, momentseek, tmp_path, monkeypatch, backend, writes
):
    """Ended before, between or after the writes of two videos, nothing is lost, and the rest is done again."""
    for number in range(3):
        make_video(f"v{number}.mp4", grey=40 * number)
    (tmp_path / "films.csv").write_text("uri,camera\nv0.mp4,gaet\nv1.mp4,gaet\nv2.mp4,gaet\n")
    options = "-c", config, "--set", f"index.backend={backend}"
    assert momentseek("index", tmp_path / "films.csv", *options).code == 0
    settings = load_run_config(config, [f"index.backend={backend}", "search.same_picture=null"])
    write, count = ParquetStore.write, [0]

    def end_early(store, record, frames):
        count[0] += 1
        if count[0] > writes:
            raise StoreError("the disk is full")
        write(store, record, frames)

    with monkeypatch.context() as patched, Library.open(settings) as library:
        patched.setattr(ParquetStore, "write", end_early)
        chosen = [record.video_id for record in library.select(where={"camera": "gaet"}).records]
        if writes < 3:
            with pytest.raises(StoreError, match="disk is full"):
                library.set_metadata(chosen, {"camera": "gate"})
        else:
            library.set_metadata(chosen, {"camera": "gate"})
    with Library.open(settings) as library:
        assert len(library.search("x", min_score=0)) == 3
        rest = [record.video_id for record in library.select().records if record.metadata["camera"] == "gaet"]
        assert len(rest) == 3 - writes
        library.set_metadata(rest, {"camera": "gate"})
        assert len(library.search("x", metadata={"camera": "gate"}, min_score=0)) == 3
        assert library.verify_index().differences == ()


def test_python_changes_nothing_of_no_video(config, four):
    with Library.open(load_run_config(config)) as library:
        assert library.set_metadata([], {"camera": "x"}) == []
        with pytest.raises(QueryError, match="no video 'nowhere'"):
            library.select("nowhere")


def test_remove_by_pattern_and_metadata(momentseek, four, listed):
    dry = momentseek("remove", "[ab].mp4", "--dry-run", *four)
    assert (dry.code, dry.out.count("would remove "), dry.err) == (0, 2, "2 videos would be removed\n")
    assert len(listed()) == 4
    [one] = momentseek("remove", "y*", "--json", *four).objects()
    assert one["remaining_files"] == 0
    assert momentseek("remove", "--where", "camera=gate", "--yes", *four).out.count("removed ") == 2
    assert listed() == ["odd[1].mp4"]
    assert momentseek("remove", "odd[1].mp4", *four).code == 0


@pytest.mark.parametrize("selection", [("*.mp4",), ("--where", "camera=gate"), ("a.mp4", "[by]*")])
def test_several_that_were_not_named_singly_are_not_removed_unasked(momentseek, four, listed, selection):
    result = momentseek("remove", *selection, *four)
    assert (result.code, result.out) == (2, "")
    assert "there was no confirmation; nothing was removed: add --yes, or use --dry-run" in result.err
    assert "Usage" not in result.err
    assert ("counts as missing until its new path is indexed" in result.err) == ("--missing" in selection)
    assert len(listed()) == 4


def test_those_that_were_named_singly_are_removed_at_once(momentseek, four, listed):
    assert momentseek("remove", "a.mp4", "b.mp4", "y*", *four).out.count("removed ") == 3
    assert listed() == ["odd[1].mp4"]


@pytest.mark.parametrize(("answer", "left", "code"), [("y\n", 0, 0), ("n\n", 4, 1), ("", 4, 2)])
def test_the_question_is_answered_on_standard_input(momentseek, monkeypatch, four, listed, answer, left, code):
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    result = momentseek("remove", "*.mp4", *four, "--json")
    assert (result.code, len(result.out.splitlines()), len(listed())) == (code, 4 - left, left)
    assert "Remove these 4 videos from the library?" in result.err


def test_a_wrong_pattern_or_name_removes_nothing(momentseek, four, listed):
    for wrong in ("nowhere.mp4", "n*", "gate/*/x"):
        assert momentseek("remove", "a.mp4", wrong, "--yes", *four).code == 2
    assert momentseek("remove", *four).code == 2
    assert len(listed()) == 4


def test_missing_are_those_of_which_no_file_is_left(momentseek, four, listed, tmp_path, make_video):
    (tmp_path / "gate" / "a.mp4").unlink()
    make_video("yard.mp4", grey=250, seconds=2)  # another video by now
    (tmp_path / "gate" / "b.mp4").rename(tmp_path / "moved.mp4")
    momentseek("index", tmp_path / "moved.mp4", *four)  # known by another name
    (tmp_path / "odd[1].mp4").write_text("no video")
    dry = momentseek("remove", "--missing", "--dry-run", "--json", *four)
    gone = {Path(video["names"][0]).name for video in dry.objects()}
    assert gone == {"a.mp4", "yard.mp4", "odd[1].mp4"}
    assert momentseek("remove", "--missing", "--where", "camera=gate", *four).out.count("removed ") == 1
    assert listed("--missing") == ["odd[1].mp4", "yard.mp4"]
    assert listed() == ["moved.mp4", "odd[1].mp4", "yard.mp4"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_not_missing(momentseek, four, tmp_path):
    (tmp_path / "gate" / "a.mp4").chmod(0)
    result = momentseek("remove", "--missing", *four)
    assert (result.code, result.out) == (0, "")
    assert "is not counted as missing" in result.err


def test_a_link_that_leads_nowhere_is_not_missing(momentseek, four, tmp_path):
    """It may lead to a disk that is not mounted."""
    path = tmp_path / "gate" / "a.mp4"
    path.unlink()
    path.symlink_to("/mnt/no-such-disk/a.mp4")
    result = momentseek("remove", "--missing", *four)
    assert (result.code, result.out) == (0, "")
    assert "is not counted as missing" in result.err
    assert "no video was removed" in result.err


def test_a_folder_that_is_gone_is_named_first(momentseek, four, tmp_path):
    (tmp_path / "gate").rename(tmp_path / "unmounted")
    result = momentseek("remove", "--missing", *four)
    assert result.code == 2
    assert f"warning: missing folders: {tmp_path / 'gate'}; if a disk is not mounted, mount it first" in result.err
