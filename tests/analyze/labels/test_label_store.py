from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from contracts.made_labels import Rule, made_labels, seconds

from pipeline.analyze.labels.label_store import LabelState, LabelStore, label_stores
from pipeline.analyze.labels.tracks import LabelInterval, LabelTrack, SampledFrames
from pipeline.errors import StoreError
from pipeline.store import erase, traces


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> LabelStore:
    root = str(tmp_path / "library") if request.param == "disk" else f"memory://{tmp_path.name}"
    return LabelStore(root, "a1b2", "e-1")


def test_what_is_written_is_read_exactly(store: LabelStore) -> None:
    store.write(made_labels())
    read = store.read("v1")
    wanted = made_labels()
    assert (read.video_id, read.labels, read.tracks) == (wanted.video_id, wanted.labels, wanted.tracks)
    assert (read.sampled, read.scorer_fingerprint) == (wanted.sampled, wanted.scorer_fingerprint)
    assert read.log_odds.dtype == np.float16
    np.testing.assert_array_equal(read.log_odds, wanted.log_odds)
    for name in ("starts_seconds", "ends_seconds", "times_seconds", "duration_seconds"):
        np.testing.assert_array_equal(getattr(read.frames, name), getattr(wanted.frames, name))


def test_tracks_and_state_are_read_alone(store: LabelStore) -> None:
    store.write(made_labels())
    assert store.tracks("v1") == (
        LabelTrack("person", (LabelInterval(0.0, 3.0, 0.5, pytest.approx(0.9, abs=1e-3)),)),
        LabelTrack("car", ()),
    )
    assert store.state("v1") == LabelState(SampledFrames("s1", 6, 6.0), "abc")


def test_scores_are_probabilities(store: LabelStore) -> None:
    store.write(made_labels())
    read = store.read("v1")
    np.testing.assert_allclose(read.scores[:, 0], [0.9] * 3 + [0.01] * 3, atol=5e-4)
    np.testing.assert_allclose(read.scores_of("rain"), 0.01, atol=5e-4)


def test_a_video_without_frames_is_kept(store: LabelStore) -> None:
    store.write(made_labels(count=0))
    assert store.read("v1").scores.shape == (0, 3)
    assert [track.intervals for track in store.tracks("v1")] == [(), ()]


def test_writing_again_replaces_and_deleting_removes(store: LabelStore) -> None:
    store.write(made_labels())
    store.write(replace(made_labels(count=8), scorer_fingerprint="def"))
    assert store.state("v1") == LabelState(SampledFrames("s1", 8, 8.0), "def")
    store.write(made_labels("v0"))
    assert store.videos() == ["v0", "v1"]
    assert (store.delete("v1"), store.delete("v1")) == (True, False)
    assert store.videos() == ["v0"]


def test_nothing_is_known_of_other_videos(store: LabelStore) -> None:
    assert store.videos() == []
    for video_id in ("v2", "../v1", "", "a/b"):
        assert store.state(video_id) is None
        assert store.delete(video_id) is False
        for read in (store.read, store.tracks):
            with pytest.raises(StoreError, match="is not labelled in"):
                read(video_id)
    with pytest.raises(ValueError, match="file name"):
        store.write(made_labels("../v1"))


def test_each_label_set_and_encoder_has_a_store_of_its_own(store: LabelStore) -> None:
    others = [LabelStore(store.root_url, "a1b2", "e2"), LabelStore(store.root_url, "c3d4", "e-1")]
    for one in (store, *others):
        one.write(made_labels())
    assert label_stores(store.root_url) == [store, *others]
    store.delete("v1")
    assert [other.videos() for other in others] == [["v1"], ["v1"]]


def test_a_library_without_labels_has_no_store(tmp_path: Path) -> None:
    assert label_stores(str(tmp_path)) == []


def test_a_store_pickles_and_holds_relative_paths_fast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = LabelStore("library", "a1b2", "e1")
    store.write(made_labels())
    monkeypatch.chdir("/")
    assert pickle.loads(pickle.dumps(store)).videos() == ["v1"]


@pytest.mark.parametrize("fingerprints", [("../x", "e1"), ("a", ""), ("a", "b/c")])
def test_fingerprints_that_lead_elsewhere_are_refused(tmp_path: Path, fingerprints: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="part of a path"):
        LabelStore(str(tmp_path), *fingerprints)


def test_an_unfinished_write_leaves_what_was_there(store: LabelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(made_labels())

    def fail(*_: object, **__: object) -> None:
        raise OSError("no more")

    with monkeypatch.context() as patch:
        patch.setattr("pyarrow.parquet.write_table", fail)
        with pytest.raises(StoreError, match=r"v1\.parquet: cannot be written: no more; no partial file was left"):
            store.write(made_labels(count=8))
    assert len(store.read("v1").frames) == 6


def test_more_intervals_than_a_file_holds_are_refused_with_a_remedy(
    store: LabelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.analyze.labels.label_file.MOST_JSON_BYTES", 1000)
    track = LabelTrack("person", tuple(LabelInterval(n, n + 0.5, n + 0.1, 0.5) for n in range(100)))
    with pytest.raises(StoreError, match="100 intervals are more than a label file can hold; raise min_seconds"):
        store.write(replace(made_labels(), tracks=(track,)))
    assert store.videos() == []


def test_labels_whose_parts_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="scores of float16"):
        replace(made_labels(), labels=("person",))
    with pytest.raises(ValueError, match="which has no scores"):
        replace(made_labels(), tracks=(LabelTrack("bus", ()),))
    with pytest.raises(ValueError, match="frames"):
        replace(made_labels(), frames=seconds(5))
    with pytest.raises(ValueError, match="not in"):
        made_labels(rules=(Rule("person"),)).scores_of("bus")


def test_removing_a_video_removes_its_labels_by_all_label_sets(store: LabelStore) -> None:
    other = LabelStore(store.root_url, "c3d4", "e2")
    for video_id in ("v1", "v2"):
        store.write(made_labels(video_id))
        other.write(made_labels(video_id))
    names = ("labels/a1b2-e-1/v1.parquet", "labels/c3d4-e2/v1.parquet")
    assert traces(store.root_url, "v1") == names
    assert erase(store.root_url, "v1") == names
    assert traces(store.root_url, "v1") == ()
    assert (store.videos(), other.videos()) == (["v2"], ["v2"])


def test_an_unfinished_write_of_labels_is_removed_with_the_video(tmp_path: Path) -> None:
    store = LabelStore(str(tmp_path), "a1b2", "e1")
    store.write(made_labels("v2"))
    unfinished = tmp_path / "labels" / "a1b2-e1" / ".partial" / f"v1.parquet.{'0' * 32}"
    unfinished.parent.mkdir(exist_ok=True)
    unfinished.write_bytes(b"half")
    assert erase(str(tmp_path), "v1") == (f"labels/a1b2-e1/.partial/{unfinished.name}",)
    assert not unfinished.exists()
