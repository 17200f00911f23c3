from __future__ import annotations

import json
import shutil
import signal
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from own_process import start_script
from plans import SAMPLINGS, WINDOWS, labels, loaded, plan, ran, results_of
from small_films import make_film
from tiny_model import make_tiny_model

from pipeline.encode import OpenClipEncoder
from pipeline.errors import ConfigError, ExecutionError, QueryError
from pipeline.evaluate import evaluate, read_labelled
from pipeline.experiments import ExperimentResult
from pipeline.library import Library
from pipeline.sources import expand
from pipeline.store import ParquetStore

Model = Mapping[str, str]
TWO = {"one": SAMPLINGS["one"], "two": SAMPLINGS["two"]}

KILLED = """
import os, signal, sys
from plans import ran

def end(event):
    if event.videos_ended:
        os.kill(os.getpid(), signal.SIGKILL)

from pathlib import Path
ran(Path(sys.argv[1]), on_progress=end)
"""


@pytest.fixture
def made(small_films: Path, tiny_model: Model, tmp_path: Path) -> Path:
    return plan(tmp_path, small_films, tiny_model, TWO)


@pytest.fixture(scope="module")
def ran_once(
    small_films: Path, tiny_model: Model, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, ExperimentResult]:
    """The folder of the experiment `made`, after it ran, and what it found."""
    folder = tmp_path_factory.mktemp("ran")
    result = ran(plan(folder, small_films, tiny_model, TWO))
    return folder / "work", result


@pytest.fixture
def first(made: Path, ran_once: tuple[Path, ExperimentResult]) -> ExperimentResult:
    """What `made` found when it ran first, which it has; its work may be changed."""
    work, result = ran_once
    shutil.copytree(work, made.parent / "work")
    return result


def said(result: ExperimentResult) -> list[dict[str, Any]]:
    return [each.evaluation.as_json() for each in result.variants]


def test_each_variant_scores_what_its_library_alone_would(made: Path, small_films: Path, tmp_path: Path) -> None:
    result = ran(made)
    for variant, found in zip(loaded(made)[1], result.variants, strict=True):
        config = variant.config.model_copy(update={"library": str(tmp_path / variant.name)})
        with Library(config) as library:
            list(library.index(expand([str(small_films)])))
            queries = read_labelled(labels(tmp_path))
            alone = evaluate(library, queries, min_score=config.search.min_score)
            rows = library.moment_index().count()
            frames = sum(record.frame_count for record in library.store.records())
        assert found.evaluation.metrics == alone.metrics
        assert (found.segments, found.kept.frames, found.kept.bytes) == (rows, frames, frames * 24 * 4)


def test_what_was_scored_is_not_scored_again(
    made: Path, first: ExperimentResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ParquetStore, "read", lambda *_: pytest.fail("embeddings were read"))
    again = ran(made)
    assert [each.made_at for each in again.variants] == [each.made_at for each in first.variants]
    assert again.variants == first.variants
    assert first.variants[0].evaluation.answers[0].duration_seconds == 9.5
    assert (again.embedded.videos_read, again.distinct_frames) == (0, first.distinct_frames)


def test_variants_of_one_model_are_scored_by_one_encoder(
    made: Path, first: ExperimentResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(results_of(made))
    opened, really_open = [], OpenClipEncoder.open
    monkeypatch.setattr(OpenClipEncoder, "open", lambda self: opened.append(self) or really_open(self))
    assert said(ran(made)) == said(first)
    assert len(opened) == 1


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 3, "evaluation": []}', '{"format": 2}', "\x00"])
def test_a_broken_result_is_found_again(made: Path, first: ExperimentResult, content: str) -> None:
    for path in results_of(made).iterdir():
        path.write_text(content)
    assert [each["metrics"] for each in said(ran(made))] == [each["metrics"] for each in said(first)]
    assert all(json.loads(path.read_text())["format"] for path in results_of(made).iterdir())


def test_other_labels_are_other_results(made: Path, first: ExperimentResult, tmp_path: Path) -> None:
    path = tmp_path / "moments.jsonl"
    path.write_text(path.read_text().replace("[[0.0, 3.0]]", "[[2.0, 3.0]]"))
    second = ran(made)
    assert first.data_fingerprint != second.data_fingerprint
    assert said(first) != said(second)
    assert len(list(results_of(made).iterdir())) == 4


def test_a_killed_experiment_goes_on(made: Path, tmp_path: Path) -> None:
    with start_script(KILLED, Path(__file__).parent, str(made)) as process:
        _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors
    kept = [{path.name for path in folder.glob("*.parquet")} for folder in (tmp_path / "work/library/frames").iterdir()]
    assert all(len(names) == 1 for names in kept)
    assert ran(made).embedded.videos_read == 2


def test_a_killed_experiment_keeps_the_variants_that_were_scored(made: Path, first: ExperimentResult) -> None:
    shutil.rmtree(results_of(made))

    class KilledError(Exception):
        pass

    def end(name: str, done: int, total: int) -> None:
        if done:
            raise KilledError

    with pytest.raises(KilledError):
        ran(made, on_variant=end)
    [kept] = results_of(made).iterdir()
    before = kept.read_text()
    result = ran(made)
    assert kept.read_text() == before
    assert [each.name for each in result.variants] == [each.name for each in first.variants] == ["one", "two"]


def test_one_variant_alone_takes_the_frames_of_the_others(made: Path) -> None:
    one = ran(made, only=["one"])
    two = ran(made, only=["two"])
    assert [each.name for each in two.variants] == ["two"]
    assert two.embedded.videos_read == 3
    assert two.embedded.frames_encoded == two.variants[0].kept.frames - one.variants[0].kept.frames


def test_two_experiments_share_a_folder(
    made: Path, first: ExperimentResult, small_films: Path, tiny_model: Model, tmp_path: Path
) -> None:
    longer = {"segmentation": {**WINDOWS, "length_seconds": 4.0}, **SAMPLINGS["two"]}
    second = ran(plan(tmp_path, small_films, tiny_model, {"same": TWO["two"], "longer": longer}, name="second"))
    assert (second.embedded.videos_read, second.variants[0].name) == (0, "same")
    assert said(second)[0] == said(first)[1]
    assert len(list(results_of(made).iterdir())) == 3


def test_two_experiments_at_once_share_a_folder(
    made: Path, small_films: Path, tiny_model: Model, tmp_path: Path
) -> None:
    other = plan(tmp_path, small_films, tiny_model, {"two": TWO["two"], "keys": SAMPLINGS["keyframes"]}, name="second")
    found: dict[str, ExperimentResult] = {}
    threads = [threading.Thread(target=lambda p=p: found.update({p.name: ran(p)})) for p in (made, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said(found["plan.yaml"])[1]["metrics"] == said(found["second.yaml"])[0]["metrics"]
    assert not list(results_of(made).glob("*.partial"))


def test_costs_are_of_the_sampling_alone(small_films: Path, tiny_model: Model, tmp_path: Path) -> None:
    variants = {"keys": SAMPLINGS["keyframes"], "two": SAMPLINGS["two"]}
    keys, two = ran(plan(tmp_path, small_films, tiny_model, variants, cost_videos=2)).variants
    assert keys.decoding is not None
    assert two.decoding is not None
    assert 0 < keys.decoding.frames_an_hour < two.decoding.frames_an_hour
    assert keys.decoding.videos == 2
    assert keys.kept.video_seconds == two.kept.video_seconds > 20
    assert two.kept.frames_an_hour == pytest.approx(2 * 3600, rel=0.1)
    assert two.kept.megabytes_an_hour == pytest.approx(two.kept.frames_an_hour * 24 * 4 / 1e6)


def test_costs_that_were_not_measured_are_measured_on_what_was_scored(
    first: ExperimentResult, small_films: Path, tiny_model: Model, tmp_path: Path
) -> None:
    more = ran(plan(tmp_path, small_films, tiny_model, TWO, cost_videos=2))
    assert [each.decoding and each.decoding.videos for each in (*first.variants, *more.variants)] == [None, None, 2, 2]
    assert [replace(each, decoding=None) for each in more.variants] == list(first.variants)
    # Fewer than all films, and none at all: what was measured is shown.
    assert ran(plan(tmp_path, small_films, tiny_model, TWO, cost_videos=2)).variants == more.variants
    assert ran(plan(tmp_path, small_films, tiny_model, TWO, cost_videos=0)).variants == more.variants


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pipeline.experiments.settings.MATCHING_RULE", "other/2"),
        ("pipeline.run_config._SEARCH_REVISION", "99"),
        ("pipeline.run_config._SEGMENTATION_REVISION", "99"),
    ],
)
def test_other_rules_are_other_results(made: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    before = [variant.fingerprint for variant in loaded(made)[1]]
    monkeypatch.setattr(name, value)
    assert not set(before) & {variant.fingerprint for variant in loaded(made)[1]}


def test_distinct_frames_count_each_frame_once(first: ExperimentResult) -> None:
    # What one frame a second takes, two take too.
    assert first.distinct_frames == first.variants[1].kept.frames == first.embedded.frames_encoded


def test_distinct_frames_are_counted_for_each_encoder(small_films: Path, tiny_model: Model, tmp_path: Path) -> None:
    other = {"encoder": {"checkpoint": make_tiny_model(tmp_path, seed=8)["checkpoint"]}, **SAMPLINGS["one"]}
    result = ran(plan(tmp_path, small_films, tiny_model, {**TWO, "other": other}))
    assert result.distinct_frames == result.variants[1].kept.frames + result.variants[2].kept.frames


def test_a_video_is_found_by_the_name_it_has_now(small_films: Path, tiny_model: Model, tmp_path: Path) -> None:
    films = Path(shutil.copytree(small_films, tmp_path / "own"))
    path = plan(tmp_path, films, tiny_model, TWO)
    first = ran(path)
    (films / "yard.mp4").rename(films / "court.mp4")
    set_of_labels = tmp_path / "moments.jsonl"
    set_of_labels.write_text(set_of_labels.read_text().replace('"yard"', '"court"'))
    again = ran(path)
    assert again.embedded.videos_read == 0
    assert [each["metrics"] for each in said(again)] == [each["metrics"] for each in said(first)]


def test_other_videos_of_the_folder_do_not_count(small_films: Path, tiny_model: Model, tmp_path: Path) -> None:
    films = tmp_path / "one"
    films.mkdir()
    shutil.copy(small_films / "yard.mp4", films)
    alone, beside = tmp_path / "alone", tmp_path / "beside"
    found = []
    for folder in (alone, beside):
        folder.mkdir()
        if folder == beside:
            ran(plan(folder, small_films, tiny_model, TWO))
        path = plan(folder, films, tiny_model, TWO)
        about_yard = [line for line in (folder / "moments.jsonl").read_text().splitlines() if '"yard"' in line]
        (folder / "moments.jsonl").write_text("\n".join(about_yard))
        found.append(ran(path))
    assert said(found[1]) == said(found[0])
    assert [each.segments for each in found[1].variants] == [each.segments for each in found[0].variants]


def test_a_file_may_be_replaced_under_its_name(small_films: Path, tiny_model: Model, tmp_path: Path) -> None:
    films = Path(shutil.copytree(small_films, tmp_path / "own"))
    path = plan(tmp_path, films, tiny_model, TWO)
    ran(path)
    make_film(films / "yard.mp4", seed=9, shots=(30, 25))
    again = ran(path)
    assert again.embedded.videos_read == 1
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    assert said(again) == said(ran(plan(fresh, films, tiny_model, TWO)))


def test_labels_mean_the_videos_that_have_their_names_now(small_films: Path, tiny_model: Model, tmp_path: Path) -> None:
    films = Path(shutil.copytree(small_films, tmp_path / "own"))
    path = plan(tmp_path, films, tiny_model, TWO)
    first = ran(path)
    (films / "yard.mp4").rename(films / "x.mp4")
    (films / "gate.mp4").rename(films / "yard.mp4")
    (films / "x.mp4").rename(films / "gate.mp4")
    again = ran(path)
    assert (again.embedded.videos_read, again.data_fingerprint == first.data_fingerprint) == (0, False)
    meant = {answer.video: answer.video_id for answer in again.variants[0].evaluation.answers}
    before = {answer.video: answer.video_id for answer in first.variants[0].evaluation.answers}
    assert meant == {**before, "yard": before["gate"], "gate": before["yard"]}


def test_several_labelled_sets_are_one(small_films: Path, tiny_model: Model, tmp_path: Path) -> None:
    one = labels(tmp_path)
    other = tmp_path / "more.jsonl"
    other.write_text(one.read_text().replace("a dog", "a cat"))
    path = plan(tmp_path, small_films, tiny_model, {"one": TWO["one"]}, labelled=[str(one), str(other)])
    answers = ran(path).variants[0].evaluation.answers
    assert [answer.query_id for answer in answers] == [f"{s}:{q}" for s in (1, 2) for q in (0, 1, 2, 3, 4, 5, 99)]


def test_a_labelled_set_that_is_missing_is_named(made: Path, tmp_path: Path) -> None:
    (tmp_path / "moments.jsonl").unlink()
    with pytest.raises(ConfigError, match=r"moments\.jsonl"):
        ran(made)
    assert not (tmp_path / "work").exists()


def test_videos_of_the_labels_that_are_missing_are_named(made: Path, tmp_path: Path) -> None:
    path = tmp_path / "moments.jsonl"
    path.write_text(path.read_text().replace('"vid": "late"', '"vid": "gone"'))
    with pytest.raises(QueryError, match="'gone'"):
        ran(made)


def test_an_experiment_without_videos_is_an_error(tiny_model: Model, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ExecutionError, match=r"empty: a folder without videos"):
        ran(plan(tmp_path, empty, tiny_model, TWO))


def test_the_front_holds_what_no_other_beats(first: ExperimentResult) -> None:
    assert first.pareto("MR-full-mAP") >= {"one"}
    assert first.variant("two").name == "two"
    assert [each["pareto"] for each in first.as_json()["variants"]] == [
        each.name in first.pareto("MR-full-mAP") for each in first.variants
    ]
    json.dumps(first.as_json())
