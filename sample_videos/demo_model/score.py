"""Score the demo model: `python -m sample_videos.demo_model.score pictures`, or `... films --seeds 101 102 --work DIR`.

`pictures` draws fresh pictures and tells how well each concept's text ranks those that show it. `films` draws the films
of other seeds, indexes them as a user would, and scores their labelled moments and the questions that a film does not
answer. `questions` asks ordinary questions, which no film answers, of the committed films.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.encode import Encoder, make_encoder
from pipeline.evaluate import evaluate, read_labelled
from pipeline.library import Library
from pipeline.run_config import RunConfig, load_run_config
from pipeline.search import as_query
from pipeline.types import Status
from sample_videos import generate
from sample_videos.casting import cast_scene
from sample_videos.films import write_scripts
from sample_videos.labels import film_truth
from sample_videos.statements import CONCEPTS
from sample_videos.truth import Facts, facts, truth_matrix
from sample_videos.vocabulary import KEYWORDS

PICTURES_SEED = 900
"""Scenes of the pictures; training and films draw theirs from other streams."""
HAT = "person in hard hat"
FILMS = Path(__file__).resolve().parent.parent
ORDINARY_QUESTIONS = Path(__file__).with_name("ordinary_questions.txt")


def concept_scores(
    texts: npt.NDArray[np.float32], images: npt.NDArray[np.float32], truth: npt.NDArray[np.int8]
) -> list[tuple[float, float]]:
    """For each concept the average precision of its ranking of the pictures, and the share of them that show it.

    Args:
        texts: float32 (M, D) unit vectors.
        images: float32 (N, D) unit vectors.
        truth: int8 (M, N): 1 shown, -1 not, 0 cannot be said (left out).
    """
    return [
        (average_precision(similarities, row), float((row == 1)[row != 0].mean()))
        for similarities, row in zip(texts @ images.T, truth, strict=True)
    ]


def average_precision(scores: npt.NDArray[np.floating], truth: npt.NDArray[np.int8]) -> float:
    """Average precision of a ranking of pictures, ties in their order; NaN where none shows it.

    Args:
        scores: (N,), the greater the better.
        truth: int8 (N,): 1 shown, -1 not, 0 cannot be said (left out).
    """
    order = np.argsort(-scores, kind="stable")
    shown = (truth == 1)[order][(truth != 0)[order]]
    precision = np.cumsum(shown) / np.arange(1, len(shown) + 1)
    return float(precision[shown].mean()) if shown.any() else float("nan")


def score_pictures(encoder: Encoder, count: int) -> dict[str, tuple[float, float]]:
    """Average precision and share of each concept over `count` fresh pictures; needs the drawing library."""
    images, known = _pictures(encoder, count)
    opened = encoder.open()
    texts = opened.encode_texts([KEYWORDS[name][0] if name in KEYWORDS else name for name in CONCEPTS])
    vectors = np.concatenate([opened.encode_images(images[start : start + 64]) for start in range(0, count, 64)])
    truth = truth_matrix(list(CONCEPTS.values()), known)
    return dict(zip(CONCEPTS, concept_scores(texts, vectors, truth), strict=True))


def _pictures(encoder: Encoder, count: int) -> tuple[npt.NDArray[np.uint8], list[Facts]]:
    import cv2

    from sample_videos.world.draw import draw_scene

    preprocessing = encoder.preprocessing()
    size = preprocessing.image_width, preprocessing.image_height
    images = np.empty((count, size[1], size[0], 3), np.uint8)
    known = []
    rng = random.Random(PICTURES_SEED)
    for number in range(count):
        scene, seconds = cast_scene(rng), rng.uniform(0.0, 4.0)
        images[number] = cv2.resize(draw_scene(scene, seconds, 640, 360), size, interpolation=cv2.INTER_AREA)
        known.append(facts(scene, seconds))
    return images, known


def score_films(seed: int, folder: Path, config: RunConfig) -> dict[str, float]:
    """Draw the films of a seed into a folder unless they are there, index them, and score their labelled moments.

    Returns:
        The metrics of `evaluate` in per cent, questions counted as answered where they are by default; and "hat P@10":
        how many of the first ten answers to "person in hard hat" over all films of the seed show one at their best
        second, those of films that it cannot be said of (someone is half hidden) left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not all((folder / f"{film.name}{film.suffix}").exists() for film in write_scripts(seed)):
        generate.main(["--seed", str(seed), "--out", str(folder)])
    generate.main(["--seed", str(seed), "--out", str(folder), "--labels-only"])
    paths = [folder / f"{film.name}{film.suffix}" for film in write_scripts(seed)]
    with Library(config.model_copy(update={"library": str(folder / "library")})) as library:
        for report in library.index(paths):
            if report.status not in (Status.DONE, Status.SKIPPED):
                raise RuntimeError(f"{report.source.uri} was not indexed: {report.problem}")
        queries = read_labelled(folder / "moments.jsonl")
        metrics = evaluate(library, queries, min_score=config.search.min_score).metrics
        return {**metrics, "hat P@10": 100 * _hat_precision(library, seed)}


def _hat_precision(library: Library, seed: int) -> float:
    truth = {film.name: film_truth(film, CONCEPTS[HAT]) for film in write_scripts(seed)}
    rights = []
    for moment in library.search(HAT, top=40):
        windows, is_known = truth[Path(moment.uri).stem]
        if windows or is_known:
            rights.append(any(start <= moment.best_seconds < end for start, end in windows))
    return sum(rights[:10]) / len(rights[:10])


def read_questions(path: Path) -> list[tuple[str, str]]:
    """Questions and their categories: a question a line; "# - things" begins a category, other "#" lines say more."""
    category, questions = "", []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            category = line.removeprefix("# - ") if line.startswith("# - ") else category
        elif line.strip():
            questions.append((category, line.strip()))
    return questions


def score_questions(questions: Sequence[str], library: Library) -> dict[str, tuple[float | None, tuple[str, ...]]]:
    """For each question the score of its first answer, None where nothing matches; and its unknown words."""
    found: dict[str, tuple[float | None, tuple[str, ...]]] = {}
    for question, answer in zip(questions, library.ask_all(map(as_query, questions)), strict=True):
        found[question] = answer.moments[0].score if answer.moments else None, answer.unknown_words
    return found


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser("python -m sample_videos.demo_model.score", description=__doc__)
    parser.add_argument("--config", default="demo", help="configuration with the model (default: %(default)s)")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", help="change a setting")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    commands = parser.add_subparsers(dest="command", required=True)
    pictures = commands.add_parser("pictures", help="rank fresh pictures by each concept")
    pictures.add_argument("--count", type=int, default=2000, help="pictures (default: %(default)s)")
    films = commands.add_parser("films", help="search the films of other seeds")
    films.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103, 104, 105], help="(default: 101 to 105)")
    films.add_argument("--work", type=Path, required=True, help="folder for films and libraries, a folder a seed")
    asked = commands.add_parser("questions", help="ask the committed films what they do not show")
    asked.add_argument("--file", type=Path, default=ORDINARY_QUESTIONS, help="a question a line (default: %(default)s)")
    asked.add_argument("--work", type=Path, required=True, help="folder for the library")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    options = parse(arguments)
    config = load_run_config(options.config, options.set)
    reports: dict[str, Callable[[argparse.Namespace, RunConfig], dict[str, Any]]]
    reports = {"pictures": _report_pictures, "films": _report_films, "questions": _report_questions}
    figures = reports[options.command](options, config)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def _report_pictures(options: argparse.Namespace, config: RunConfig) -> dict[str, Any]:
    scores = score_pictures(make_encoder(config.encoder), options.count)
    for name, (average, share) in sorted(scores.items(), key=lambda item: item[1][0]):
        print(f"{name:<32} average precision {average:6.3f}   shown in {share:6.1%}")
    mean = _mean(average for average, _ in scores.values())
    print(f"{len(scores)} concepts, {options.count} pictures: mean average precision {mean:.3f}")
    return {"pictures": options.count, "mean": mean, "concepts": scores}


def _report_films(options: argparse.Namespace, config: RunConfig) -> dict[str, Any]:
    of_moments = ("MR-full-R1@0.5", "MR-full-R1@0.7", "MR-full-mAP", "MR-full-mIoU")
    names = (*of_moments, "absent-rejected", "true-lost", "hat P@10")
    rows = {}
    for seed in options.seeds:
        rows[seed] = score_films(seed, options.work / str(seed), config)
        print(f"seed {seed}: " + "  ".join(f"{name} {rows[seed][name]:.1f}" for name in names), flush=True)
    means = {name: _mean(row[name] for row in rows.values()) for name in names}
    print("mean: " + "  ".join(f"{name} {value:.1f}" for name, value in means.items()))
    return {"seeds": rows, "means": means}


def _report_questions(options: argparse.Namespace, config: RunConfig) -> dict[str, Any]:
    questions = read_questions(options.file)
    with Library(config.model_copy(update={"library": str(options.work / "library")})) as library:
        for report in library.index([FILMS / f"{film.name}{film.suffix}" for film in write_scripts()]):
            if report.status not in (Status.DONE, Status.SKIPPED):
                raise RuntimeError(f"{report.source.uri} was not indexed: {report.problem}")
        found = score_questions([text for _, text in questions], library)
    shares: dict[str, float] = {}
    for category in dict.fromkeys(category for category, _ in questions):
        answered = [text for of, text in questions if of == category and found[text][0] is not None]
        count = sum(of == category for of, _ in questions)
        shares[category] = 1 - len(answered) / count
        print(f"{category:<36} {count:>4} questions, nothing matches {shares[category]:6.1%}")
        for text in answered:
            print(f"    {text!r} is answered, at {found[text][0]:.2f}")
    nothing = sum(found[text][0] is None for _, text in questions)
    print(f"nothing matches {nothing} of {len(questions)} questions, {nothing / len(questions):.1%}")
    return {"questions": len(questions), "nothing": nothing, "categories": shares}


def _mean(values: Iterable[float]) -> float:
    return float(np.nanmean(list(values)))


if __name__ == "__main__":
    sys.exit(main())
