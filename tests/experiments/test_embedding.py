from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from plans import SAMPLINGS, loaded, plan
from small_films import make_film
from tiny_model import make_tiny_model

from pipeline.encode import OpenClipEncoder, OpenEncoder
from pipeline.errors import ExecutionError
from pipeline.execution import Execution
from pipeline.execution.per_video import frame_batches as reading
from pipeline.experiments import embedding
from pipeline.experiments.embedding import EmbeddedVideos, embed_all, store_of
from pipeline.experiments.joint_sampling import JointSampling
from pipeline.library import Library
from pipeline.run_config import RunConfig
from pipeline.sources import expand
from pipeline.types import Source

IN_PROCESS = Execution(executor="in_process", batch_frames=7)
NEAR = {"sampling": {"fps": 1.0, "tolerance_seconds": 0.4}}
Model = Mapping[str, str]


class CountingModel:
    """Notes how many images are encoded."""

    def __init__(self, model: OpenEncoder, counts: list[int]) -> None:
        self._model = model
        self._counts = counts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode_images(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        self._counts.append(len(images))
        return self._model.encode_images(images)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of images of all calls of the encoder."""
    counts: list[int] = []

    class Counting(OpenClipEncoder):
        def open(self) -> Any:
            return CountingModel(super().open(), counts)

    monkeypatch.setattr(embedding, "make_encoder", Counting)
    return counts


def embed(path: Path, execution: Execution = IN_PROCESS) -> EmbeddedVideos:
    experiment, variants = loaded(path)
    return embed_all(variants, list(expand(experiment.videos, variants[0].config.fetching)), execution)


def frames_kept(path: Path, videos: EmbeddedVideos) -> dict[str, set[tuple[str, int]]]:
    """By variant, the frames that its store holds."""
    return {
        variant.name: {
            (video_id, tick)
            for video_id in videos.video_ids.values()
            for tick in store_of(variant.config).read(video_id).pts.tolist()
        }
        for variant in loaded(path)[1]
    }


class Alone:
    """Libraries that were indexed by one configuration alone; what several tests ask for is indexed once.

    Args:
        folder: For the libraries.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[str, Path] = {}

    def opened(self, config: RunConfig, films: Path) -> Library:
        """The library of these films by this configuration, whatever the films are called."""
        contents = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in films.iterdir())
        chosen = config.model_copy(update={"library": "", "execution": IN_PROCESS})
        key = json.dumps([chosen.model_dump(mode="json"), contents], sort_keys=True)
        place = self._places.get(key, self._folder / str(len(self._places)))
        library = Library(chosen.model_copy(update={"library": str(place)}))
        if key not in self._places:
            reports = list(library.index(expand([str(films)])))
            assert {report.status for report in reports} == {"done"}
            self._places[key] = place
        return library


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Alone:
    return Alone(tmp_path_factory.mktemp("alone"))


def check_as_alone(path: Path, films: Path, alone: Alone) -> None:
    """What each variant's store holds is what its configuration alone would keep."""
    for variant in loaded(path)[1]:
        with alone.opened(variant.config, films) as library:
            records = list(library.store.records())
            assert records
            for record in records:
                ours, theirs = store_of(variant.config).read(record.video_id), library.store.read(record.video_id)
                for name in ("pts", "times_seconds", "seen_until_seconds"):
                    np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=variant.name)
                np.testing.assert_allclose(ours.vectors, theirs.vectors, atol=1e-6)
                assert (ours.cuts_seconds, ours.duration_seconds) == (theirs.cuts_seconds, theirs.duration_seconds)
                assert ours.time_base == theirs.time_base
                kept = store_of(variant.config).record(record.video_id)
                assert kept is not None
                assert (kept.frame_count, kept.status) == (record.frame_count, record.status)
                assert replace(kept.info, uri=record.info.uri) == record.info


def test_each_store_holds_what_its_sampling_alone_would_keep(
    small_films: Path, tiny_model: Model, tmp_path: Path, alone: Alone
) -> None:
    path = plan(tmp_path, small_films, tiny_model)
    embed(path)
    check_as_alone(path, small_films, alone)


@pytest.mark.ray
def test_each_store_holds_the_same_with_ray(
    small_films: Path, tiny_model: Model, tmp_path: Path, ray_cluster: None, alone: Alone
) -> None:
    some = {**{name: SAMPLINGS[name] for name in ("two with cuts", "keyframes", "novelty")}, "near": NEAR}
    path = plan(tmp_path, small_films, tiny_model, some)
    embed(path, Execution(executor="ray", batch_frames=7))
    check_as_alone(path, small_films, alone)


def test_every_frame_is_encoded_once(small_films: Path, tiny_model: Model, tmp_path: Path, encoded: list[int]) -> None:
    path = plan(tmp_path, small_films, tiny_model)
    embedded = embed(path)
    kept = frames_kept(path, embedded)
    distinct = set().union(*kept.values())
    assert len(distinct) < sum(map(len, kept.values()))
    assert sum(encoded) == embedded.frames_encoded == len(distinct)
    assert embedded.videos_read == 3


def test_a_later_variant_encodes_only_new_frames(
    small_films: Path, tiny_model: Model, tmp_path: Path, encoded: list[int], alone: Alone
) -> None:
    embed(plan(tmp_path, small_films, tiny_model, {"one": SAMPLINGS["one"], "two": SAMPLINGS["two"]}))
    encoded.clear()
    path = plan(tmp_path, small_films, tiny_model, {**SAMPLINGS, "five": {"sampling": {"fps": 5.0}}})
    embedded = embed(path)
    kept = frames_kept(path, embedded)
    new = set().union(*kept.values()) - kept["one"] - kept["two"]
    assert sum(encoded) == len(new) > 0
    check_as_alone(path, small_films, alone)


@pytest.mark.parametrize(
    "later",
    [
        {"segmentation": {"length_seconds": 4.0}},
        {"aggregation": {"strategy": "max_pooling"}},
        {"encoder": {"prompts": ["a photo of {}"]}},
        {"search": {"base_quantile": 0.5}},
    ],
)
def test_a_variant_of_what_follows_the_embeddings_reads_nothing(
    small_films: Path, tiny_model: Model, tmp_path: Path, encoded: list[int], later: dict[str, Any]
) -> None:
    embed(plan(tmp_path, small_films, tiny_model, {"one": SAMPLINGS["one"]}))
    encoded.clear()
    embedded = embed(
        plan(tmp_path, small_films, tiny_model, {"one": SAMPLINGS["one"], "later": later | SAMPLINGS["one"]})
    )
    assert (embedded.videos_read, embedded.frames_decoded, embedded.frames_encoded, encoded) == (0, 0, 0, [])


def test_another_encoder_shares_nothing(small_films: Path, tiny_model: Model, tmp_path: Path, alone: Alone) -> None:
    other = {"encoder": {"checkpoint": make_tiny_model(tmp_path, seed=8)["checkpoint"]}}
    variants = {"this": SAMPLINGS["one"], "other": {**SAMPLINGS["one"], **other}}
    path = plan(tmp_path, small_films, tiny_model, variants)
    embedded = embed(path)
    assert embedded.frames_encoded == sum(map(len, frames_kept(path, embedded).values()))
    check_as_alone(path, small_films, alone)


@pytest.fixture
def own_films(small_films: Path, tmp_path: Path) -> Path:
    """Films that a test may change."""
    return Path(shutil.copytree(small_films, tmp_path / "own"))


@pytest.mark.parametrize("content", [b"this is no video", b"", bytes(range(256)) * 20], ids=["text", "empty", "noise"])
def test_a_failed_video_is_named_and_the_others_are_kept(
    own_films: Path, tiny_model: Model, tmp_path: Path, content: bytes, alone: Alone
) -> None:
    path = plan(tmp_path, own_films, tiny_model)
    (own_films / "bad.mp4").write_bytes(content)
    with pytest.raises(ExecutionError, match=r"1 of 4 videos failed: .*bad\.mp4: .*repair or remove them"):
        embed(path)
    (own_films / "bad.mp4").unlink()
    assert embed(path).videos_read == 0
    check_as_alone(path, own_films, alone)


def test_a_video_that_one_store_lacks_is_read_again(
    own_films: Path, tiny_model: Model, tmp_path: Path, encoded: list[int], alone: Alone
) -> None:
    path = plan(tmp_path, own_films, tiny_model)
    embedded = embed(path)
    video_id = embedded.video_ids[str(own_films / "yard.mp4")]
    store_of(loaded(path)[1][1].config).delete(video_id)
    encoded.clear()
    assert embed(path).videos_read == 1
    # All of its frames but those that this sampling alone takes are known to the others.
    assert sum(encoded) < 20
    check_as_alone(path, own_films, alone)


def test_known_frames_are_those_of_the_content_not_of_the_name(
    own_films: Path, tiny_model: Model, tmp_path: Path, alone: Alone
) -> None:
    some = {"scene changes": SAMPLINGS["scene changes"]}
    embed(plan(tmp_path, own_films, tiny_model, some))
    (own_films / "yard.mp4").rename(own_films / "x.mp4")
    (own_films / "gate.mp4").rename(own_films / "yard.mp4")
    (own_films / "x.mp4").rename(own_films / "gate.mp4")
    path = plan(tmp_path, own_films, tiny_model, {**some, "all": {"sampling": {"fps": 10.0}}})
    embed(path)
    check_as_alone(path, own_films, alone)


def test_the_same_content_twice_is_read_once(own_films: Path, tiny_model: Model, tmp_path: Path) -> None:
    shutil.copy(own_films / "yard.mp4", own_films / "again.mp4")
    assert embed(plan(tmp_path, own_films, tiny_model)).videos_read == 3


def test_a_new_video_is_read_alone(own_films: Path, tiny_model: Model, tmp_path: Path) -> None:
    path = plan(tmp_path, own_films, tiny_model)
    embed(path)
    make_film(own_films / "new.mp4", seed=9, shots=(20, 20))
    assert embed(path).videos_read == 1


@pytest.mark.parametrize("order", [("near", "one", "two"), ("two", "near", "one")])
def test_a_sampling_with_a_tolerance_shares_nothing(
    small_films: Path, tiny_model: Model, tmp_path: Path, order: tuple[str, ...], alone: Alone
) -> None:
    path = plan(tmp_path, small_films, tiny_model, {name: {**SAMPLINGS, "near": NEAR}[name] for name in order})
    embedded = embed(path)
    kept = frames_kept(path, embedded)
    # It takes other frames than one a second does, and decodes those that are the same more coarsely.
    assert kept["near"] != kept["one"]
    assert embedded.frames_encoded == len(kept["near"]) + len(kept["one"] | kept["two"])
    check_as_alone(path, small_films, alone)


def test_what_was_decoded_with_a_tolerance_is_not_used_again(
    small_films: Path, tiny_model: Model, tmp_path: Path, encoded: list[int]
) -> None:
    near = {"near": NEAR}
    embed(plan(tmp_path, small_films, tiny_model, near))
    encoded.clear()
    path = plan(tmp_path, small_films, tiny_model, {**near, "one": SAMPLINGS["one"]})
    embedded = embed(path)
    assert sum(encoded) == len(frames_kept(path, embedded)["one"])


def test_a_search_for_cuts_is_made_once(
    small_films: Path, tiny_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: Alone
) -> None:
    searches: list[str] = []
    find = reading.find_shots
    monkeypatch.setattr(
        reading, "find_shots", lambda footage, wanted: (searches.append(wanted.detector), find(footage, wanted))[1]
    )
    some = {
        "two": SAMPLINGS["two with cuts"],
        "near": {"sampling": {**NEAR["sampling"], "cuts": "adaptive"}},
    }
    embed(plan(tmp_path, small_films, tiny_model, some))
    assert searches == ["adaptive"] * 3
    later = {
        "scene changes": {"sampling": {"strategy": "scene_change", "cuts": "threshold"}},
        "as they": {"sampling": {"fps": 3.0, "cuts": "threshold"}},
        "three": {"sampling": {"fps": 3.0, "cuts": "adaptive"}},
        "otherwise": {"sampling": {"fps": 3.0, "cuts": "content"}},
        "both": {
            "sampling": {
                "strategy": "composite",
                "parts": [{"strategy": "fixed_rate", "cuts": "adaptive"}, {"strategy": "keyframe"}],
            }
        },
    }
    path = plan(tmp_path, small_films, tiny_model, {**some, **later})
    embed(path)
    # A pass of scene changes finds no gradual transitions, so that "as they" has a search of its own.
    assert sorted(searches[3:]) == ["content"] * 3 + ["threshold"] * 3
    check_as_alone(path, small_films, alone)


def test_samplings_that_wait_for_the_end_of_a_shot_share_the_pass_of_the_others(
    small_films: Path, tiny_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alone: Alone
) -> None:
    endless = {"sampling": {"strategy": "scene_change", "max_gap_seconds": None}}
    long = {"strategy": "scene_change", "max_gap_seconds": 60.0}
    both = {"sampling": {"strategy": "composite", "parts": [long, {"strategy": "fixed_rate"}]}}
    path = plan(tmp_path, small_films, tiny_model, {"five": {"sampling": {"fps": 5}}, "endless": endless, "both": both})
    passes: list[int] = []
    monkeypatch.setattr(
        embedding, "JointSampling", lambda parts, known: (passes.append(len(parts)), JointSampling(parts, known))[1]
    )
    embedded = embed(path)
    assert (passes, embedded.videos_read) == ([3], 3)
    check_as_alone(path, small_films, alone)


def test_metadata_may_change_with_new_videos(own_films: Path, tiny_model: Model, tmp_path: Path, alone: Alone) -> None:
    path = plan(tmp_path, own_films, tiny_model, {"one": SAMPLINGS["one"], "two": SAMPLINGS["two"]})
    variants = loaded(path)[1]
    yard, gate = str(own_films / "yard.mp4"), str(own_films / "gate.mp4")
    embed_all(variants, [Source(yard, {"camera": "1"})], IN_PROCESS)
    embed_all(variants, [Source(yard, {"camera": "2"}), Source(gate)], IN_PROCESS)
    (own_films / "late.mkv").unlink()
    check_as_alone(path, own_films, alone)


def test_progress_is_told(small_films: Path, tiny_model: Model, tmp_path: Path) -> None:
    told: list[int] = []
    note: Callable[..., None] = lambda event: told.append(event.videos_ended)  # noqa: E731
    experiment, variants = loaded(plan(tmp_path, small_films, tiny_model))
    embed_all(variants, [Source(str(path)) for path in sorted(small_films.iterdir())], IN_PROCESS, on_progress=note)
    assert (told[-1], experiment.title) == (3, "Which is best")
