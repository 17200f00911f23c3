"""Zero-shot labels: how well are frames labelled by text alone, and what does each choice of scoring add?

    python -m benchmarks.labels --work DIR [--seeds 9001 9002 9003 9004] [--output benchmarks/results/labels.json]

The films of each seed are drawn into DIR at the two frames a second that are sampled, encoded with H.264, and indexed
with the demo model into one library, calibrated as a user's is. The labels are the 67 concepts of the sample world
(`sample_videos.statements.CONCEPTS`). What a frame shows is known from the script; a frame counts for a label only if
it can be said whether it shows it: not where that depends on someone half hidden, and not within a fade or dissolve.
Every frame is scored for every label. The ways:

- `one_prompt`: the concept's name, or a keyword for it, with the calibration that search has.
- `prompts`: eight sentences for it instead (fewer where there are fewer), as an analyst might type them, averaged.
- `templates`: the one prompt, alone and as "a photo of ..." and "a video of ...", averaged.
- `contrast`: the one prompt, with contrast prompts for what differs in one thing: the other colours, with or without.
- `groups`: the one prompt, places and lights as exhaustive groups.
- `together`: templates and groups.
- `softmax`: the one prompt, in a softmax over all labels, as zero-shot classifiers do: what labels are not.

`mean_average_precision` ranks the frames of each label. `macro_f1` is the mean over the labels of F1, where a frame is
labelled from a score of 0.5 on: one threshold for all. `calibration_error` is the expected calibration error of the
scores in ten bins (Naeini, Cooper and Hauskrecht 2015, doi:10.1609/aaai.v29i1.9602). A label that no frame shows has no
figures. `together` was chosen, and the defaults of label files, on the seeds 101, 102, 211 and 223.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.setting import rounded, write_result
from pipeline.analyze.labels.label_set import as_label_set
from pipeline.library import Library
from pipeline.library.analysis.label_scoring import label_scorer
from pipeline.run_config import load_run_config
from pipeline.types import Status
from sample_videos.demo_model.score import average_precision
from sample_videos.films import Film, JoinKind, write_scripts
from sample_videos.phrasing import phrase
from sample_videos.statements import CONCEPTS, HATS, VESTS
from sample_videos.truth import Facts, facts, truth_matrix
from sample_videos.vocabulary import KEYWORDS
from sample_videos.world.scene import Action, Colour, Light, PlaceKind, VehicleKind

Floats = npt.NDArray[np.float64]
Truth = npt.NDArray[np.int8]

FRAMES_A_SECOND = 2
SENTENCES = 8
TEMPLATES = ("{}", "a photo of {}", "a video of {}")
WEAK = 0.9
"""Average precision below which a label is named as weak."""
NAMES = [str(name) for name in CONCEPTS]
PROMPTS = {str(name): KEYWORDS[name][0] if name in KEYWORDS else str(name) for name in CONCEPTS}
GROUPS = {
    "place": {"labels": [str(place) for place in PlaceKind], "exhaustive": True},
    "light": {"labels": [str(light) for light in Light], "exhaustive": True},
}


def sentences(name: str) -> list[str]:
    """Different sentences for a concept, as many as are found."""
    statement = {str(key): value for key, value in CONCEPTS.items()}[name]
    said = (phrase(statement, random.Random(f"{name} {number}")) for number in range(200))
    return list(dict.fromkeys(said))[:SENTENCES]


def alternatives() -> dict[str, list[str]]:
    """For concepts that have them, the concepts that differ in one thing."""
    rows = [
        ["person in hard hat", "person without a hard hat"],
        ["person in hi-vis vest", "person without a vest"],
        ["intact box", "damaged box"],
        ["person", "nobody"],
        [f"person in {colour} hard hat" for colour in HATS],
        [f"person in {colour} vest" for colour in VESTS],
        [f"person {action}" for action in Action],
        *(
            [f"{colour} {kind}" for colour in Colour]
            for kind in (VehicleKind.FORKLIFT, VehicleKind.TRUCK, VehicleKind.CAR)
        ),
    ]
    return {name: [PROMPTS[other] for other in row if other != name] for row in rows for name in row}


def label_files() -> Iterator[tuple[str, dict[str, Any]]]:
    """The label file of each way."""
    one: dict[str, Any] = {name: {"prompts": text} for name, text in PROMPTS.items()}
    templates = {"templates": list(TEMPLATES)}
    yield "one_prompt", {"labels": one}
    yield "prompts", {"labels": {name: {"prompts": sentences(name)} for name in NAMES}}
    yield "templates", {"labels": one, "defaults": templates}
    others = alternatives()
    contrasted = {name: {**label, "contrast": others[name]} if name in others else label for name, label in one.items()}
    yield "contrast", {"labels": contrasted}
    yield "groups", {"labels": one, "groups": GROUPS}
    yield "together", {"labels": one, "defaults": templates, "groups": GROUPS}
    yield "softmax", {"labels": one, "groups": {"all": {"labels": NAMES, "exhaustive": True}}}


def drawn(seed: int, folder: Path) -> dict[str, Film]:
    """The films of a seed by their paths, drawn into a folder unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for script in write_scripts(seed):
        film = replace(script, rate=Fraction(FRAMES_A_SECOND), codec="libx264", suffix=".mp4")
        path = folder / f"{film.name}{film.suffix}"
        if not path.exists():
            from sample_videos.filming import write_film

            write_film(film, folder)
        found[str(path.resolve())] = film
    return found


def frame_truth(film: Film, times: Floats) -> Truth:
    """What the frames of a film show: int8 (67, N)."""
    known: list[Facts] = []
    for seconds in times.tolist():
        shot = film.shots[film.shot_at(seconds)]
        known.append(facts(shot.scene, seconds - shot.start_seconds))
    truth = truth_matrix(list(CONCEPTS.values()), known)
    for start, end in film.gradual(JoinKind.FADE) + film.gradual(JoinKind.DISSOLVE):
        truth[:, (times >= start) & (times < end)] = 0
    return truth


def frames_of(library: Library, films: Mapping[str, Film]) -> tuple[npt.NDArray[np.float32], Truth]:
    """All frame embeddings of the library, float32 (N, D), and what the frames show, int8 (67, N).

    Raises:
        RuntimeError: A film could not be indexed.
    """
    vectors, truths = [], []
    for report in library.index(list(films)):
        if report.status not in (Status.DONE, Status.SKIPPED) or report.video_id is None:
            raise RuntimeError(f"{report.source.uri}: {report.problem}")
        frames = library.store.read(report.video_id)
        vectors.append(frames.vectors)
        truths.append(frame_truth(films[report.source.uri], frames.times_seconds))
    return np.concatenate(vectors), np.concatenate(truths, axis=1)


def scored(log_odds: Floats, truth: Truth) -> dict[str, dict[str, float]]:
    """Figures of each label that some frame shows."""
    found = {}
    for name, scores, shown in zip(NAMES, log_odds.T, truth, strict=True):
        said, is_shown = (scores >= 0)[shown != 0], (shown == 1)[shown != 0]
        both = int((said & is_shown).sum())
        if is_shown.any():
            found[name] = {
                "frames": int(is_shown.sum()),
                "average_precision": average_precision(scores, shown),
                "f1": 2 * both / int(said.sum() + is_shown.sum()),
                "precision": both / max(1, int(said.sum())),
                "recall": both / int(is_shown.sum()),
            }
    return found


def calibration_error(log_odds: Floats, truth: Truth, bins: int = 10) -> float:
    """Mean difference of score and share shown over bins of the score, weighted by their frames."""
    is_known = truth.T != 0
    probabilities = 1 / (1 + np.exp(-np.clip(log_odds[is_known], -700, 700)))
    shown = (truth.T == 1)[is_known]
    bin_of = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = (np.bincount(bin_of, probabilities, bins) - np.bincount(bin_of, shown, bins)).astype(np.float64)
    return float(np.abs(gaps).sum() / len(shown))


def figures(log_odds: Floats, truth: Truth) -> dict[str, float]:
    """The figures of a way."""
    of_labels = scored(log_odds, truth).values()
    return {
        "mean_average_precision": float(np.mean([one["average_precision"] for one in of_labels])),
        "macro_f1": float(np.mean([one["f1"] for one in of_labels])),
        "calibration_error": calibration_error(log_odds, truth),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run all and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[9001, 9002, 9003, 9004])
    parser.add_argument(
        "--work", type=Path, required=True, help="folder for films and the library; what is there stays"
    )
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/labels.json"))
    options = parser.parse_args(arguments)
    films = {path: film for seed in options.seeds for path, film in drawn(seed, options.work / str(seed)).items()}
    place = options.work / ("library-" + "-".join(map(str, options.seeds)))
    config = load_run_config("demo", [f"library={place}", "execution.executor=in_process", "index.backend=memory"])
    ways: dict[str, Any] = {}
    labels: dict[str, Any] = {}
    with Library(config) as library:
        vectors, truth = frames_of(library, films)
        for way, file in label_files():
            log_odds = label_scorer(library, as_label_set(file, origin=way)).log_odds(vectors)
            ways[way] = figures(log_odds, truth)
            print(way, rounded(ways[way], 4), flush=True)
            if way == "together":
                labels = scored(log_odds, truth)
    weak = {name: one["average_precision"] for name, one in labels.items() if one["average_precision"] < WEAK}
    content = {
        "seeds": options.seeds,
        "films": len(films),
        "frames": len(vectors),
        "ways": ways,
        "weak_labels": dict(sorted(weak.items(), key=lambda item: item[1])),
        "labels_that_no_frame_shows": [name for name in NAMES if name not in labels],
        "labels": labels,
    }
    write_result(options.output, "benchmarks.labels", rounded(content, 4))


if __name__ == "__main__":
    main()
