"""Labels in the rows of a library's index: written, renewed, verified, and what a search makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from contracts.word_world import WordModel, video
from label_library import keep_labels
from shots_library import ShotsExecutor, filled, opened

from pipeline.analyze.labels.label_set import as_label_set
from pipeline.errors import MomentIndexError, QueryError, StoreError
from pipeline.index import Filter, LabelFilter
from pipeline.index.rewrite import replace_rows
from pipeline.library import Library, verification
from pipeline.library.analysis.label_rows import apply_labels
from pipeline.library.analysis.labelling import label_videos
from pipeline.search import Query
from pipeline.types import SegmentLabels

SHOWN = {"park": ("red", "green", "red"), "gate": ("red", "", "red green"), "yard": ("red", "")}
MADE = {"park": {"person": [(0.0, 2.0)]}, "gate": {"person": [(0.75, 2.0)], "forklift": [(0.0, 6.0)]}}

Opener = Callable[..., Library]


@pytest.fixture(params=["folder", "memory", pytest.param("server", marks=pytest.mark.milvus_server)])
def open_it(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens the library, which has three videos, with its index at one of three places."""
    settings = ["segmentation.strategy=shots", "search.same_picture=null"]
    if request.param == "memory":
        settings.append("index.backend=memory")
    if request.param == "server":
        settings.append(f"index.uri={request.getfixturevalue('milvus_server_uri')}")

    def open_it(*overrides: str) -> Library:
        library = Library.open(str(tmp_path / "library"), overrides=[*settings, *overrides], encoder=WordModel())
        # One in memory is made when it is opened, with all labels that there are.
        library.moment_index()
        return library

    with open_it() as library:
        library._claim()
        for name, shots in SHOWN.items():
            put(library, name, *shots)
        library._write_file()
    yield open_it
    if request.param == "server":
        with open_it() as library:
            for video_id in library.moment_index().videos():
                library.moment_index().delete_video(video_id)


def put(library: Library, name: str, *shots: str, metadata: dict[str, str] | None = None) -> None:
    record, frames = video(name, *shots, metadata=metadata)
    library.store.write(record, frames)
    replace_rows(library.moment_index(), name, library.row_recipe.rows(frames, record.metadata))


def labels_in(library: Library, *names: str) -> dict[str, SegmentLabels | None]:
    rows = sorted(library.moment_index().rows_of(names or tuple(SHOWN)), key=lambda row: row.segment)
    return {f"{row.segment.video_id}-{row.segment.ordinal}": row.labels for row in rows}


def some_whole(labels: SegmentLabels | None) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    return None if labels is None else (labels.some, labels.whole)


def found(library: Library, **fields: Any) -> list[tuple[str, float, float]]:
    moments = library.ask(Query(shows="red", **fields)).moments
    return sorted((one.video_id, one.start_seconds, one.end_seconds) for one in moments)


def unlabelled(library: Library, **fields: Any) -> list[str]:
    skipped = library.ask(Query(shows="red", **fields)).explanation.skipped
    return sorted(one.video_id for one in skipped if one.is_unlabelled)


PERSON = [("gate", 0.75, 2), ("park", 0, 2)]
NO_PERSON = [("gate", 0, 0.75), ("gate", 4, 6), ("park", 4, 6)]


def test_rows_carry_their_labels_once_these_are_applied(open_it: Opener) -> None:
    with open_it() as library:
        keep_labels(library, MADE)
        # Before that, the answer is the same.
        assert found(library, labels="person") == PERSON
        applied = apply_labels(library)
        assert (applied.videos, applied.segments, applied.without_rows, applied.problems) == (3, 6, (), {})
        assert {key: some_whole(labels) for key, labels in labels_in(library).items()} == {
            "park-0": (("person",), ("person",)),
            "park-1": ((), ()),
            "park-2": ((), ()),
            "gate-0": (("forklift", "person"), ("forklift",)),
            "gate-1": (("forklift",), ("forklift",)),
            "gate-2": (("forklift",), ("forklift",)),
            "yard-0": None,
            "yard-1": None,
        }
        assert found(library, labels="person") == PERSON
        assert found(library, not_labels="person") == NO_PERSON
        assert found(library, labels=["person", "forklift"]) == PERSON[:1]
        assert unlabelled(library, labels="person") == unlabelled(library, not_labels="person") == ["yard"]
        assert library.verify_index().differences == ()
        assert apply_labels(library).segments == 0


def test_the_filter_runs_in_the_index(open_it: Opener) -> None:
    with open_it() as library:
        keep_labels(library, {**MADE, "yard": {}})
        apply_labels(library)
        current = library.labels.required()
        where = Filter(labels=LabelFilter(current.label_set, ("person",)))
        vector = library.searcher().calibrated(Query(shows="red").shows)[0].vector[None]
        (hits,) = library.moment_index().search(vector, top=9, where=where)
        assert sorted(hit.segment.video_id for hit in hits) == ["gate", "park"]
        answer = library.ask(Query(shows="red", labels="person"))
        assert {one.video_id for one in answer.explanation.candidates} == {"gate", "park"}


def test_verify_names_rows_with_other_labels(open_it: Opener) -> None:
    with open_it() as library:
        keep_labels(library, MADE)
        first, second = sorted(library.verify_index().differences, key=lambda one: one.video_id)
        assert (first.video_id, second.video_id) == ("gate", "park")
        assert first.different is not None
        how = first.different[min(first.different)]
        assert how.startswith("no labels instead of labels forklift (all of it), person of the label set")


def test_rebuilt_rows_carry_labels(open_it: Opener) -> None:
    with open_it() as library:
        keep_labels(library, MADE)
        library.rebuild_index()
        before = labels_in(library)
        assert some_whole(before["park-0"]) == (("person",), ("person",))
        assert apply_labels(library).segments == 0
        assert found(library, labels="person") == PERSON


def test_an_index_that_is_opened_in_memory_carries_labels(open_it: Opener) -> None:
    with open_it() as library:
        keep_labels(library, MADE)
        apply_labels(library)
    with open_it("index.backend=memory") as library:
        assert some_whole(labels_in(library)["park-0"]) == (("person",), ("person",))


def test_a_moved_index_carries_labels(open_it: Opener, tmp_path: Path) -> None:
    with open_it() as library:
        keep_labels(library, MADE)
        library.migrate_index(str(tmp_path / "elsewhere"))
        assert some_whole(labels_in(library)["gate-0"]) == (("forklift", "person"), ("forklift",))
        assert library.verify_index().differences == ()
        library.migrate_index(None)


def test_another_label_set_takes_over_at_once(open_it: Opener) -> None:
    """Its rows are written later: until then those of the former label set decide nothing."""
    other = as_label_set({"labels": {"person": "green", "boat": "blue"}})
    with open_it() as library:
        keep_labels(library, MADE)
        apply_labels(library)
        keep_labels(library, {"park": {"person": [(4, 6)]}, "yard": {"boat": [(0, 2)]}}, other, name="harbour")
        for _ in range(2):
            assert found(library, labels="person") == [("park", 4, 6)]
            assert found(library, labels="boat") == [("yard", 0, 2)]
            assert unlabelled(library, labels="boat") == ["gate"]
            with pytest.raises(QueryError, match=r"'harbour' has no label 'forklift'; it has: 'person', 'boat'"):
                found(library, labels="forklift")
            apply_labels(library)
        # gate is not labelled by it, and lost what it carried.
        assert labels_in(library, "gate") == dict.fromkeys(("gate-0", "gate-1", "gate-2"))
        assert library.verify_index().differences == ()


def test_labels_by_a_scorer_of_another_calibration_do_not_count(open_it: Opener) -> None:
    with open_it() as library:
        keep_labels(library, MADE)
        apply_labels(library)
        keep_labels(library, {"park": {"forklift": [(0, 2)]}}, renew=True)
        for _ in range(2):
            assert found(library, labels="forklift") == [("park", 0, 2)]
            assert found(library, labels="person") == []
            assert unlabelled(library, where={}, labels="person") == ["gate", "yard"]
            apply_labels(library)


def test_writing_that_was_ended_early_goes_on(open_it: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "_VIDEOS_PER_READ", 1)
    with open_it() as library:
        keep_labels(library, MADE)

        def end(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            apply_labels(library, on_video=end)
        assert found(library, labels="person") == PERSON
    with open_it() as library:
        if library.config.index.backend == "memory":
            return
        assert apply_labels(library).segments == 3
        assert library.verify_index().differences == ()


def test_only_the_named_videos_are_written(open_it: Opener) -> None:
    with open_it() as library:
        keep_labels(library, MADE)
        assert apply_labels(library, ["park", "park", "nowhere"]).videos == 1
        assert {key for key, labels in labels_in(library).items() if labels is not None} == {
            "park-0",
            "park-1",
            "park-2",
        }


def test_videos_without_rows_and_with_broken_labels_are_reported(open_it: Opener) -> None:
    with open_it() as library:
        store = keep_labels(library, MADE)
        library.moment_index().delete_video("gate")
        store.folder.write("park.parquet", b"PAR1 broken")
        applied = apply_labels(library)
        assert (applied.segments, applied.without_rows, set(applied.problems)) == (0, ("gate",), {"park"})
        answer = library.ask(Query(shows="red", not_labels="person"))
        assert [one.video_id for one in answer.explanation.skipped if one.is_broken] == ["park"]


def test_changed_metadata_and_another_round_of_indexing_keep_labels(open_it: Opener) -> None:
    with open_it() as library:
        keep_labels(library, MADE)
        apply_labels(library)
        before = labels_in(library)
        library.set_metadata(["park"], {"site": "north"})
        assert labels_in(library) == before
        assert found(library, labels="person", where={"site": "north"}) == [("park", 0, 2)]
        put(library, "park", *SHOWN["park"], metadata={"site": "south"})
        assert labels_in(library) == before


def test_a_video_with_other_frames_is_not_labelled(open_it: Opener) -> None:
    """As after its frames were lost and taken anew: labels of other frames are out of date."""
    with open_it() as library:
        keep_labels(library, MADE)
        apply_labels(library)
        put(library, "park", "red", "green", "red", "red")
        assert labels_in(library, "park") == dict.fromkeys(("park-0", "park-1", "park-2", "park-3"))
        assert unlabelled(library, labels="person") == ["park", "yard"]
        assert found(library, not_labels="person") == NO_PERSON[:2]
        assert [record.video_id for record in library.select(without_labels=["person"]).unlabelled] == ["park", "yard"]


def test_a_removed_video_leaves_no_labels(open_it: Opener) -> None:
    with open_it() as library:
        keep_labels(library, MADE)
        apply_labels(library)
        library.remove("park")
        assert library.labels.label_sets().keys() == {"gate"}
        put(library, "park", *SHOWN["park"])
        assert unlabelled(library, labels="person") == ["park", "yard"]
        assert found(library, labels="person") == PERSON[:1]
        assert library.verify_index().differences == ()


def test_rows_of_a_video_that_is_removed_meanwhile_go(open_it: Opener) -> None:
    with open_it() as library:
        keep_labels(library, MADE)
        records = library.videos()
        index = library.moment_index()
        rows = list(index.rows_of(["park"]))

        def intervals_of(record: Any) -> Any:
            if record.video_id == "park":
                library.store.delete("park")
            return library.labels.required().intervals_of(record)

        from pipeline.library.labels.index_rows import write_labels

        write_labels(index, library.store, intervals_of, records)
        assert rows
        assert index.keys_of("park") == frozenset()


def test_videos_are_selected_by_labels(open_it: Opener) -> None:
    with open_it() as library:
        store = keep_labels(library, MADE)

        def selected(**fields: Any) -> tuple[list[str], list[str]]:
            chosen = library.select(**fields)
            return [one.video_id for one in chosen.records], [one.video_id for one in chosen.unlabelled]

        assert selected(labels=["person"]) == (["gate", "park"], ["yard"])
        assert selected(labels=["person", "forklift"]) == (["gate"], ["yard"])
        assert selected(without_labels=["forklift"]) == (["park"], ["yard"])
        assert selected(labels=["person"], without_labels=["forklift"]) == (["park"], ["yard"])
        store.folder.write("park.parquet", b"broken")
        chosen = library.select(without_labels=["forklift"])
        assert (chosen.records, list(chosen.broken)) == ((), ["park"])
        with pytest.raises(QueryError, match="did you mean 'forklift'"):
            library.select(labels=["forklit"])
        with pytest.raises(QueryError, match="'dust' of the label set 'site' is scored only"):
            library.select(without_labels=["dust"])


def test_a_library_without_labels_says_how_to_make_some(open_it: Opener) -> None:
    message = r"not labelled yet: momentseek label LABELS\.yaml --library .*library labels them"
    with open_it() as library:
        for ask in (
            lambda: library.ask(Query(shows="red", labels="person")),
            lambda: library.ask(Query(shows="red", none=True, not_labels="person")),
            lambda: library.select(without_labels=["person"]),
        ):
            with pytest.raises(QueryError, match=message):
                ask()
        assert apply_labels(library).segments == 0
        assert library.verify_index().differences == ()


def test_labels_of_another_encoder_are_none(tmp_path: Path) -> None:
    with Library.open(str(tmp_path), overrides=["index.backend=memory"], encoder=WordModel()) as library:
        record, frames = video("park", "red")
        library.store.write(record, frames)
        keep_labels(library, {"park": {}})
        assert library.labels.current() is not None
    other = Library.open(str(tmp_path), overrides=["index.backend=memory"], encoder=WordModel("words2"))
    assert other.labels.current() is None


def test_a_broken_snapshot_is_an_error_that_names_it(open_it: Opener) -> None:
    with open_it() as library:
        store = keep_labels(library, MADE)
        store.folder.write("scorer.json", b"{}")
        with pytest.raises(StoreError, match=r"scorer\.json: is broken.*momentseek label"):
            library.ask(Query(shows="red", labels="person"))


COLOURS = as_label_set({"labels": {"red": "red", "blue": "blue"}})


@pytest.mark.parametrize("backend", ["memory", "milvus"])
def test_labelling_writes_the_rows_as_does_indexing_with_a_label_file(tmp_path: Path, backend: str) -> None:
    file = tmp_path / "colours.yaml"
    file.write_text("labels: {red: red, blue: blue}\n")
    with filled(tmp_path / "one", backend=backend) as library:
        list(label_videos(library, COLOURS, name=str(file)))
        assert labels_in(library, "park")["park-0"] == SegmentLabels(
            library.labels.required().label_set, ("red",), ("red",)
        )
        assert library.verify_index().differences == ()
        assert found(library, labels="red") == [("gate", 4, 6), ("park", 0, 2)]
        assert found(library, not_labels="red") == []
    with opened(tmp_path / "two", f"analyze.labels={file}", backend=backend) as library:
        for name in ("park.mp4", "gate.mp4"):
            list(library.index([name], executor=ShotsExecutor(library)))
            assert library.verify_index().differences == ()
        assert found(library, labels="red") == [("gate", 4, 6), ("park", 0, 2)]


def test_rows_that_could_not_be_written_are_written_by_the_same_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise MomentIndexError("no space left")

    with filled(tmp_path, backend="milvus") as library:
        with monkeypatch.context() as patched:
            patched.setattr(type(library.moment_index()), "upsert", fail)
            with pytest.raises(MomentIndexError, match="no space left"):
                list(label_videos(library, COLOURS))
        assert found(library, labels="red") == [("gate", 4, 6), ("park", 0, 2)]
        assert library.verify_index().differences != ()
        assert {str(report.status) for report in label_videos(library, COLOURS)} == {"skipped"}
        assert library.verify_index().differences == ()
