from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contracts.word_world import video
from shots_library import SHOWN, ShotsExecutor, filled, opened

from pipeline.analyze.labels.label_set import LabelSet, as_label_set
from pipeline.analyze.labels.label_store import LabelStore, label_stores
from pipeline.analyze.labels.labelling import LabelReport
from pipeline.analyze.labels.snapshot import current_labels, read_snapshot
from pipeline.errors import ConfigError, QueryError, StoreError, StoreFullError
from pipeline.library import Library
from pipeline.library.analysis.labelling import label_videos
from pipeline.types import Status

LABELS = as_label_set({"labels": {"red": "red", "blue": "blue", "green": {"prompts": "green", "mode": "score_only"}}})


def statuses(reports: Iterator[LabelReport]) -> dict[str, str]:
    return {report.video_id: str(report.status) for report in reports}


def store_of(library: Library, label_set: LabelSet = LABELS) -> LabelStore:
    return LabelStore(library.config.library, label_set.fingerprint, "words1")


def intervals(store: LabelStore, video_id: str) -> dict[str, list[tuple[float, float]]]:
    return {
        track.label: [(one.start_seconds, one.end_seconds) for one in track.intervals]
        for track in store.tracks(video_id)
    }


def test_each_video_gets_scores_and_tracks(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        reports = list(label_videos(library, LABELS, name="colours"))
        store = store_of(library)
        # park shows red, green and blue for two seconds each; gate shows blue, nothing, and red with green.
        assert intervals(store, "park") == {"red": [(0.0, 2.0)], "blue": [(4.0, 6.0)]}
        assert intervals(store, "gate") == {"red": [(4.0, 6.0)], "blue": [(0.0, 2.0)]}
        assert store.read("park").labels == ("red", "blue", "green")
        assert store.read("park").scores_of("green")[4:8].min() > 0.5 > store.read("park").scores_of("green")[8:].max()
        assert reports == [
            LabelReport("gate", "/videos/gate.mp4", Status.DONE, 12, 2),
            LabelReport("park", "/videos/park.mp4", Status.DONE, 12, 2),
        ]
        assert current_labels(library.config.library) == store
        snapshot = read_snapshot(store)
        assert snapshot is not None
        assert (snapshot.name, snapshot.label_set, snapshot.videos) == ("colours", LABELS, 2)


def test_videos_that_are_labelled_are_skipped_unless_told(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        assert set(statuses(label_videos(library, LABELS)).values()) == {"done"}
        assert set(statuses(label_videos(library, LABELS)).values()) == {"skipped"}
        assert set(statuses(label_videos(library, LABELS, again=True)).values()) == {"done"}
        store_of(library).delete("gate")
        assert statuses(label_videos(library, LABELS)) == {"gate": "done", "park": "skipped"}


def test_labelling_that_was_ended_early_goes_on(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        reports = label_videos(library, LABELS)
        assert next(reports).status is Status.DONE
        reports.close()
        assert statuses(label_videos(library, LABELS)) == {"gate": "skipped", "park": "done"}


def test_later_videos_are_scored_alike_and_load_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as library:
        list(library.index(["park.mp4"], executor=ShotsExecutor(library)))
        list(label_videos(library, LABELS))
        before = store_of(library).read("park").log_odds
        list(library.index(["gate.mp4"], executor=ShotsExecutor(library)))
    with opened(tmp_path) as library:
        monkeypatch.setattr(Library, "model", None)
        assert statuses(label_videos(library, LABELS)) == {"gate": "done", "park": "skipped"}
        monkeypatch.undo()
        snapshot = read_snapshot(store_of(library))
        assert snapshot is not None
        assert snapshot.videos == 1
        gate = snapshot.scorer.log_odds(library.store.read("gate").vectors).astype(np.float16)
        np.testing.assert_array_equal(store_of(library).read("gate").log_odds, gate)
        # All are scored again by a scorer that was calibrated on both.
        assert set(statuses(label_videos(library, LABELS, again=True)).values()) == {"done"}
        assert (store_of(library).read("park").log_odds != before).any()


def test_when_all_are_labelled_again_and_that_is_ended_early_the_rest_is_out_of_date(tmp_path: Path) -> None:
    with opened(tmp_path) as library:
        list(library.index(["park.mp4"], executor=ShotsExecutor(library)))
        list(label_videos(library, LABELS))
        list(library.index(["gate.mp4"], executor=ShotsExecutor(library)))
        again = label_videos(library, LABELS, again=True)
        assert next(again).video_id == "gate"
        again.close()
        assert statuses(label_videos(library, LABELS)) == {"gate": "skipped", "park": "done"}


def test_some_videos_are_labelled_again_with_the_scorer_of_the_others(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        list(label_videos(library, LABELS))
        kept = read_snapshot(store_of(library))
        records = library.select("park").records
        assert statuses(label_videos(library, LABELS, records=records, again=True)) == {"park": "done"}
        now = read_snapshot(store_of(library))
        assert kept is not None
        assert now is not None
        assert now.fingerprint == kept.fingerprint


def test_a_video_that_was_embedded_again_is_labelled_again(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        list(label_videos(library, LABELS))
        library.store.write(*video("park", "red", "blue"))
        assert statuses(label_videos(library, LABELS)) == {"gate": "skipped", "park": "done"}
        assert intervals(store_of(library), "park") == {"red": [(0.0, 2.0)], "blue": [(2.0, 4.0)]}


def test_another_sampling_is_labelled_again(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        list(label_videos(library, LABELS))
        store = store_of(library)
        state = store.state("park")
        assert state is not None
        assert state.sampled.sampling_fingerprint == library.config.sampling_fingerprint
    # As of a library whose videos were all embedded again, by another sampling.
    (tmp_path / "library.yaml").unlink()
    with filled(tmp_path, "sampling.fps=2") as library:
        assert set(statuses(label_videos(library, LABELS)).values()) == {"done"}


def test_changed_metadata_leaves_labels_up_to_date(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        list(label_videos(library, LABELS))
        library.set_metadata(["park"], {"camera": "gate"})
        assert set(statuses(label_videos(library, LABELS)).values()) == {"skipped"}


def test_broken_videos_are_reported_and_the_rest_is_labelled(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        [park] = tmp_path.glob("frames/*/park.parquet")
        content = bytearray(park.read_bytes())
        content[100:400] = bytes(300)
        park.write_bytes(content)
        reports = {report.video_id: report for report in label_videos(library, LABELS)}
        assert reports["gate"].status is Status.DONE
        assert (reports["park"].status, reports["park"].intervals) == (Status.FAILED, 0)
        assert "park.parquet: is broken" in str(reports["park"].problem)
        park.write_bytes(b"nothing")
        reports = {report.video_id: report for report in label_videos(library, LABELS)}
        assert (reports["gate"].status, reports["park"].status) == (Status.SKIPPED, Status.FAILED)


def test_broken_labels_are_made_again(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        list(label_videos(library, LABELS))
        [file] = tmp_path.glob("labels/*/park.parquet")
        file.write_bytes(file.read_bytes()[:-9])
        with pytest.raises(StoreError, match="label the video again"):
            store_of(library).tracks("park")
        assert statuses(label_videos(library, LABELS)) == {"gate": "skipped", "park": "done"}
        assert store_of(library).tracks("park")


def test_removing_a_video_removes_its_labels(tmp_path: Path) -> None:
    with filled(tmp_path) as library:
        list(label_videos(library, LABELS))
        removed = library.remove("park")
        assert removed.remaining_files == 0
        assert store_of(library).videos() == ["gate"]
        assert not [path for path in tmp_path.rglob("*") if "park" in path.name]


def test_a_video_that_is_removed_meanwhile_leaves_no_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = LabelStore.write

    def removed_first(self: LabelStore, labels: Any) -> None:
        if labels.video_id == "park":
            library.remove("park")
        write(self, labels)

    with filled(tmp_path) as library:
        monkeypatch.setattr(LabelStore, "write", removed_first)
        reports = {report.video_id: report for report in label_videos(library, LABELS)}
        assert reports["park"].problem == "it was removed from the library in the meantime"
        assert store_of(library).videos() == ["gate"]


def test_each_label_set_is_kept_and_the_last_one_applied_is_the_librarys(tmp_path: Path) -> None:
    other = as_label_set({"labels": {"red": "red"}})
    with filled(tmp_path) as library:
        list(label_videos(library, LABELS))
        list(label_videos(library, other))
        assert len(label_stores(library.config.library)) == 2
        assert current_labels(library.config.library) == store_of(library, other)
        assert set(statuses(label_videos(library, LABELS)).values()) == {"skipped"}
        assert current_labels(library.config.library) == store_of(library)


def test_a_library_without_videos_has_nothing_to_label(tmp_path: Path) -> None:
    with opened(tmp_path) as library, pytest.raises(QueryError, match="no video"):
        list(label_videos(library, LABELS))


def test_where_there_is_no_space_left_the_labelling_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StoreFullError("no space")

    with filled(tmp_path) as library:
        monkeypatch.setattr(LabelStore, "write", full)
        with pytest.raises(StoreFullError):
            list(label_videos(library, LABELS))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"name": 7},
        {"videos": -1},
        {"videos": True},
        {"scorer": {}},
        {"scorer": []},
        {"label_set": {"labels": []}},
        {"label_set": as_label_set({"labels": {"red": "red"}}).model_dump(mode="json")},
    ],
)
def test_a_snapshot_that_was_changed_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with filled(tmp_path) as library:
        list(label_videos(library, LABELS))
        [file] = tmp_path.glob("labels/*/scorer.json")
        file.write_text(json.dumps(json.loads(file.read_text()) | change))
        with pytest.raises(StoreError, match=r"scorer\.json: is broken .*delete it and label the library again"):
            list(label_videos(library, LABELS))
        file.unlink()
        assert set(statuses(label_videos(library, LABELS)).values()) <= {"done", "skipped"}


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"format": 2}', b'{"format":1,"label_set_fingerprint":"../x","encoder_fingerprint":"e"}'],
)
def test_a_broken_name_of_the_label_set_is_an_error_until_it_is_written_anew(tmp_path: Path, content: bytes) -> None:
    with filled(tmp_path) as library:
        list(label_videos(library, LABELS))
        (tmp_path / "labels" / "current.json").write_bytes(content)
        with pytest.raises(StoreError, match=r"current\.json: is broken"):
            current_labels(str(tmp_path))
        list(label_videos(library, LABELS))
        assert current_labels(str(tmp_path)) == store_of(library)


# At indexing.


@pytest.fixture
def label_file(tmp_path: Path) -> Path:
    path = tmp_path / "colours.yaml"
    path.write_text("labels: {red: red, blue: blue}\n")
    return path


def test_videos_are_labelled_as_they_are_indexed(tmp_path: Path, label_file: Path) -> None:
    with opened(tmp_path / "library", f"analyze.labels={label_file}") as library:
        reports = library.index(["park.mp4"], executor=ShotsExecutor(library))
        assert [report.status for report in reports] == [Status.DONE]
        store = current_labels(library.config.library)
        assert store is not None
        assert store.videos() == ["park"]
        # The scorer is there by now: each video is labelled once it is stored.
        for report in library.index(["gate.mp4", "none.mp4"], executor=ShotsExecutor(library)):
            assert (report.video_id in store.videos()) == (report.status is Status.DONE)
        assert store.videos() == ["gate", "park"]
        snapshot = read_snapshot(store)
        assert snapshot is not None
        assert snapshot.name == str(label_file)


def test_the_first_batch_is_labelled_when_all_its_videos_can_calibrate_the_labels(
    tmp_path: Path, label_file: Path
) -> None:
    with opened(tmp_path / "library", f"analyze.labels={label_file}") as library:
        list(library.index(SHOWN, executor=ShotsExecutor(library)))
        store = current_labels(library.config.library)
        assert store is not None
        snapshot = read_snapshot(store)
        assert snapshot is not None
        assert (snapshot.videos, store.videos()) == (2, ["gate", "park"])


def test_a_batch_that_was_ended_early_is_labelled_by_the_next(tmp_path: Path, label_file: Path) -> None:
    with opened(tmp_path / "library", f"analyze.labels={label_file}") as library:
        reports = library.index(SHOWN, executor=ShotsExecutor(library))
        next(reports)
        reports.close()
        assert label_stores(library.config.library) == []
        list(library.index(SHOWN, executor=ShotsExecutor(library)))
        [store] = label_stores(library.config.library)
        assert store.videos() == ["gate", "park"]


def test_the_library_remembers_its_label_file(
    tmp_path: Path, label_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with opened(tmp_path / "library", "analyze.labels=colours.yaml") as library:
        list(library.index(["park.mp4"], executor=ShotsExecutor(library)))
    monkeypatch.chdir("/")
    with opened(tmp_path / "library") as library:
        assert library.config.analyze.labels == str(label_file)
        list(library.index(["gate.mp4"], executor=ShotsExecutor(library)))
        [store] = label_stores(library.config.library)
        assert store.videos() == ["gate", "park"]


@pytest.mark.parametrize(("labels", "problem"), [("none.yaml", "no label file"), ("", "at least 1 character")])
def test_a_label_file_that_cannot_be_used_is_an_error_before_anything_is_done(
    tmp_path: Path, labels: str, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem), opened(tmp_path / "x", f"analyze.labels='{labels}'") as library:
        list(library.index(SHOWN, executor=ShotsExecutor(library)))
    assert not list(tmp_path.rglob("*.parquet"))


def test_what_cannot_be_labelled_is_logged_and_indexed_all_the_same(
    tmp_path: Path, label_file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("no labels today")

    monkeypatch.setattr(LabelStore, "write", fail)
    with opened(tmp_path / "library", f"analyze.labels={label_file}") as library:
        with caplog.at_level(logging.ERROR, logger="pipeline"):
            reports = list(library.index(SHOWN, executor=ShotsExecutor(library)))
        assert [report.status for report in reports] == [Status.DONE] * 2
        assert "/videos/park.mp4 is indexed, but not labelled: no labels today" in caplog.text
        monkeypatch.undo()
        assert set(
            statuses(label_videos(library, as_label_set({"labels": {"red": "red", "blue": "blue"}}))).values()
        ) == {"done"}


def test_labels_that_cannot_be_calibrated_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text("labels: {red: {examples: {like: nowhere.mp4, at: 3}}}\n")
    library = opened(tmp_path / "library", f"analyze.labels={path}")
    with library, caplog.at_level(logging.ERROR, logger="pipeline"):
        assert len(list(library.index(SHOWN, executor=ShotsExecutor(library)))) == 2
    assert "the videos are indexed, but not labelled: " in caplog.text
    assert "label them by: momentseek label" in caplog.text
