"""The committed films and their labels: what the scripts say is what the files hold."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import av
import pytest

from pipeline.evaluate import read_labelled
from pipeline.evaluate.intervals import read_interval_set
from pipeline.sampling import CutDetection, SceneChange, find_shots
from pipeline.video import Decoding, make_decoder
from sample_videos.films import Film, JoinKind, write_scripts, write_watch_script
from sample_videos.generate import main
from sample_videos.labels import film_truth, write_labels
from sample_videos.statements import CONCEPTS, concepts_of
from sample_videos.truth import Statement, bits
from sample_videos.world.scene import Person

FOLDER = Path(__file__).resolve().parents[2] / "sample_videos"
SCRIPTS = {film.name: film for film in write_scripts()}


def path_of(film: Film) -> Path:
    return FOLDER / f"{film.name}{film.suffix}"


def test_write_labels_gives_the_committed_bytes(tmp_path: Path) -> None:
    count = write_labels(list(SCRIPTS.values()), tmp_path, 2026)
    assert count >= 60
    for name in ("moments.jsonl", "intervals.jsonl", "cuts.json"):
        assert (tmp_path / name).read_bytes() == (FOLDER / name).read_bytes()


def test_absent_queries_are_of_what_the_film_never_shows() -> None:
    queries = read_labelled(FOLDER / "moments.jsonl")
    absent = [query for query in queries if query.is_absent]
    assert Counter(query.video for query in absent) == dict.fromkeys(SCRIPTS, 3)
    said = {name.removeprefix("weather "): statement for name, statement in CONCEPTS.items()}
    by_one_concept = [query for query in absent if len(query.concepts) == 1]
    assert len(by_one_concept) >= 8
    for query in by_one_concept:
        assert film_truth(SCRIPTS[query.video], said[query.concepts[0]]) == ([], True)


def test_intervals_are_what_the_script_says_of_each_concept() -> None:
    entries = read_interval_set(FOLDER / "intervals.jsonl").entries
    names = [name.removeprefix("weather ") for name in CONCEPTS]
    assert [(entry.video, entry.label) for entry in entries] == [(film, name) for film in SCRIPTS for name in names]
    by_name = dict(zip(names, CONCEPTS.values(), strict=True))
    film = SCRIPTS["night-watch"]
    for entry in [entry for entry in entries if entry.video == film.name]:
        windows, is_known = film_truth(film, by_name[entry.label])
        if is_known and windows:
            assert [list(one) for one in entry.intervals] == windows
        assert all(end - start >= 1.0 for start, end in entry.intervals)
        # Nothing is said of what a fade or dissolve shows.
        joins = [span for kind in (JoinKind.FADE, JoinKind.DISSOLVE) for span in film.gradual(kind)]
        assert all(
            any(start <= one[0] + 1e-3 and one[1] <= end + 1e-3 for start, end in entry.unknown) for one in joins
        )


def test_concepts_of_a_statement_are_all_that_it_says() -> None:
    worker = Statement(scene=CONCEPTS["night"].scene, some=(bits("person", "hat", "red hat"), bits("dog")))
    names = ["person", "dog", "night", "person in hard hat", "person in red hard hat"]
    assert sorted(concepts_of(worker)) == sorted(names)
    assert concepts_of(CONCEPTS["nobody"]) == ["nobody"]


def test_generate_another_seed_gives_other_films(tmp_path: Path) -> None:
    assert main(["--seed", "7", "--out", str(tmp_path), "--labels-only"]) == 0
    assert (tmp_path / "moments.jsonl").read_bytes() != (FOLDER / "moments.jsonl").read_bytes()


def test_generate_refuses_to_overwrite_the_committed_films(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--seed", "7"])
    assert "--out" in capsys.readouterr().err


def test_films_are_within_twenty_megabytes() -> None:
    assert sum(path_of(film).stat().st_size for film in SCRIPTS.values()) <= 20_000_000


@pytest.mark.parametrize("name", ["loading-dock", "street-corner"])
def test_film_holds_every_frame_at_its_time(name: str) -> None:
    film = SCRIPTS[name]
    with av.open(str(path_of(film))) as container:
        stream = container.streams.video[0]
        ticks = sorted(packet.pts for packet in container.demux(stream) if packet.pts is not None)
        times = [float((tick - ticks[0]) * stream.time_base) for tick in ticks]
    assert times == pytest.approx([float(time) for time in film.frame_times()], abs=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_every_hard_cut_is_found_and_no_other(name: str) -> None:
    film = SCRIPTS[name]
    labels = json.loads((FOLDER / "cuts.json").read_text())[name]
    with make_decoder(Decoding()).open(str(path_of(film))) as stream:
        sampling = SceneChange().begin(stream.info)
        for frame in stream.frames():
            sampling.feed(frame)
        sampling.finish()
    assert sampling.cuts is not None
    # A pass over the frames cannot know of a fade before it is over: it may divide shots within one.
    is_in_fade = [any(start < cut < end for start, end in labels["fades"]) for cut in sampling.cuts]
    hard = [float(cut) for cut, is_within in zip(sampling.cuts, is_in_fade, strict=True) if not is_within]
    assert hard == pytest.approx(labels["cuts"], abs=0.05)
    with make_decoder(Decoding()).open(str(path_of(film))) as stream:
        assert [float(cut) for cut in find_shots(stream, CutDetection()).cuts] == pytest.approx(
            labels["cuts"], abs=0.05
        )


def test_a_camera_that_watches_sees_one_place_and_long_nothing() -> None:
    film = write_watch_script(3, minutes=10)
    scenes = [shot.scene for shot in film.shots]
    empty = [shot for shot in film.shots if not shot.scene.actors]
    assert {replace(scene, actors=()) for scene in scenes} == {empty[0].scene}
    ends = [*(shot.start_seconds for shot in film.shots[1:]), film.duration_seconds]
    idle = sum(end - shot.start_seconds for shot, end in zip(film.shots, ends, strict=True) if shot in empty)
    assert idle > 0.6 * film.duration_seconds
    assert any(isinstance(actor, Person) and actor.hat for scene in scenes for actor in scene.actors)


def test_generate_wants_minutes_for_a_fixed_camera(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--fixed-camera", "--out", "anywhere"])
    assert "--minutes" in capsys.readouterr().err
