"""Concepts from marks: average precision of the weakest labels, by their text alone and after some marks.

    python -m benchmarks.concepts --train 9201 9202 9203 9204 --test 9205 9206 9207 9208
                                  [--output benchmarks/results/concepts.json]

Films of the sample world are drawn at two frames a second, compressed as JPEG and embedded by the demo model; needs the
drawing library. For each label, the review queue orders the frames of the training films by the text's scores. A person
who knows the truth answers from its beginning until there are as many yes and no as are wanted; frames of which the
truth cannot be said are skipped, and what the person says too often is not used. Then the concept is fitted to these
marks, starting from the text, and both rank the frames of the test films. The training films lend the calibration, too.

The weakest labels are those with the lowest average precision by their text on the training films, where a user would
see it. Labels that fewer than 10 test frames show are left out. The result also has the figures of the labels that are
weakest on the test films; these are biased, since the labels are then chosen by the figure that is reported.

For comparison, "every_frame" is a probe that is told the truth of all frames of the training films: no person's marks
say more. It is fitted as a concept is, without cross-validation. "without_text" are the 5 and 5 marks without the text,
as for a thing of which the model does not know the name; a random ranking has the average precision "share", of frames
that show the label.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.drawn_films import DrawnFilm, draw_films
from benchmarks.setting import rounded, write_result
from pipeline.analyze.concepts.concept import Concept
from pipeline.analyze.concepts.fitting import ConceptFitter, ConceptSource
from pipeline.analyze.concepts.linear_probe import FrameStatistics, fit_probe, frame_statistics, probe_of
from pipeline.analyze.marks.mark import Mark, Verdict
from pipeline.analyze.review import QueueSettings, review_queue
from pipeline.analyze.review.review_item import mark_of
from pipeline.encode import make_encoder
from pipeline.errors import QueryError
from pipeline.index import MemoryIndex
from pipeline.run_config import load_run_config
from pipeline.search import Searcher, Searching, Term
from pipeline.search.query_embedding import CalibratedTerm
from pipeline.store import FrameSample
from pipeline.store.frame_sample import FRAMES_OF_A_VIDEO, draw_sample
from pipeline.types import FrameEmbeddings, Status, VideoInfo, VideoRecord
from sample_videos.statements import CONCEPTS
from sample_videos.vocabulary import KEYWORDS

WEAKEST = 10
LEAST_FRAMES = 10
LONGEST_QUEUE = 200
"""Items that a person looks at for one label at most."""
MARKS = (5, 10, 20)
"""Marks of each verdict."""

Floats = npt.NDArray[np.float64]
Truth = npt.NDArray[np.int8]


class DrawnStore:
    """A readable store of drawn films."""

    def __init__(self, films: Sequence[DrawnFilm]) -> None:
        self.films = {film.frames.video_id: film for film in films}

    def read(self, video_id: str) -> FrameEmbeddings:
        """Return a film's frame embeddings."""
        return self.films[video_id].frames

    def record(self, video_id: str) -> VideoRecord | None:
        """Make a film's record."""
        film = self.films.get(video_id)
        return None if film is None else _record(film)

    def records(self) -> Iterator[VideoRecord]:
        """Make all records, ordered by id."""
        return (_record(self.films[video_id]) for video_id in sorted(self.films))

    def frame_sample(self, rows: int) -> FrameSample:
        """Sample some frames of each film."""

        def some(video_id: str) -> npt.NDArray[np.float32]:
            vectors = self.films[video_id].frames.vectors
            rows = np.linspace(0, len(vectors) - 1, FRAMES_OF_A_VIDEO).round().astype(np.intp)
            return vectors[np.unique(rows)]

        return draw_sample(self.films, some, rows)


def _record(film: DrawnFilm) -> VideoRecord:
    frames, end = film.frames, film.frames.duration_seconds
    info = VideoInfo(
        uri=frames.video_id,
        container="drawn",
        codec="drawn",
        width=film.film.width,
        height=film.film.height,
        rotation_degrees=0,
        time_base=frames.time_base,
        start_time=frames.time_base * 0,
        average_rate=None,
        duration_seconds=end,
    )
    return VideoRecord(
        video_id=frames.video_id,
        names=(frames.video_id,),
        status=Status.DONE,
        info=info,
        duration_seconds=end,
        covered_seconds=end,
        frame_count=len(frames),
    )


def average_precision(scores: Floats, truth: Truth) -> float:
    """Average precision of a ranking of frames; those of unknown truth are left out, and NaN where none is true."""
    known = truth != 0
    order = np.argsort(-scores[known], kind="stable")
    shown = (truth[known] == 1)[order]
    if not shown.any():
        return float("nan")
    return float((np.cumsum(shown) / np.arange(1, len(shown) + 1))[shown].mean())


def f1_at_half(log_odds: Floats, truth: Truth) -> float:
    """F1 of the frames that score 0.5 or more."""
    said, shown = (log_odds >= 0) & (truth != 0), truth == 1
    right = int((said & shown).sum())
    return 2 * right / max(1, int(said.sum()) + int(shown.sum()))


class Labels:
    """The labels of the sample world on films for training and for testing."""

    def __init__(self, train: Sequence[DrawnFilm], test: Sequence[DrawnFilm], searcher: Searcher) -> None:
        self.train, self.test, self.searcher = train, test, searcher
        self.names = [str(name) for name in CONCEPTS]
        self.texts = [str(KEYWORDS[name][0]) if name in KEYWORDS else str(name) for name in CONCEPTS]
        self.terms = searcher.calibrated([Term(text=text) for text in self.texts])
        self._vectors = np.concatenate([film.frames.vectors for film in test])
        self._truth = np.concatenate([film.truth for film in test], axis=1)

    def on_train(self, label: int) -> float:
        """Average precision of a label's text on the training films."""
        scores = np.concatenate([self.terms[label].log_odds(film.frames.vectors) for film in self.train])
        return average_precision(scores, np.concatenate([film.truth[label] for film in self.train]))

    def scores(self, label: int, concept: Concept | None = None) -> dict[str, float]:
        """Figures of a label's text, or of a concept, on the test films."""
        if concept is None:
            log_odds = self.terms[label].log_odds(self._vectors)
        else:
            log_odds = concept.calibration(self._vectors @ concept.vector)
        truth = self._truth[label]
        return {"average_precision": average_precision(log_odds, truth), "f1": f1_at_half(log_odds, truth)}

    def every_frame(self, label: int, statistics: FrameStatistics) -> dict[str, float]:
        """Figures of a probe that is fitted to all frames of the training films."""
        truth = np.concatenate([film.truth[label] for film in self.train])
        vectors = np.concatenate([film.frames.vectors for film in self.train])[truth != 0]
        start = probe_of(self.terms[label].vector, self.terms[label].calibration)
        shown = truth[truth != 0] == 1
        probe = fit_probe(vectors, shown, np.ones(len(shown)), start=start, statistics=statistics)
        log_odds = probe.log_odds(self._vectors)
        return {
            "average_precision": average_precision(log_odds, self._truth[label]),
            "f1": f1_at_half(log_odds, self._truth[label]),
        }

    def shown_frames(self, label: int) -> int:
        """Number of test frames that show a label."""
        return int((self._truth[label] == 1).sum())

    def share(self, label: int) -> float:
        """Share of the test frames of known truth that show a label."""
        return self.shown_frames(label) / int((self._truth[label] != 0).sum())

    def marks(self, label: int, each: int) -> tuple[list[Mark], int]:
        """The marks of a person who walks the review queue; and how many items were looked at."""
        term: CalibratedTerm = self.terms[label]
        by_id = {film.frames.video_id: film for film in self.train}
        videos = (film.frames for film in self.train)
        queue = review_queue(videos, term, self.names[label], (), QueueSettings(count=LONGEST_QUEUE))
        marks: list[Mark] = []
        for seen, item in enumerate(queue, 1):
            film = by_id[item.video_id]
            row = int(np.abs(film.frames.times_seconds - item.start_seconds).argmin())
            truth = int(film.truth[label, row])
            verdict = Verdict.YES if truth == 1 else Verdict.NO
            if truth and sum(mark.verdict is verdict for mark in marks) < each:
                marks.append(mark_of(item, verdict, by="truth"))
            if len(marks) == 2 * each:
                return marks, seen
        return marks, len(queue)


def judged(labels: Labels, label: int, fitter: ConceptFitter, statistics: FrameStatistics) -> dict[str, Any]:
    """Figures of one label before and after marks."""
    found: dict[str, Any] = {
        "label": labels.names[label],
        "shown_frames": labels.shown_frames(label),
        "share": labels.share(label),
        "text": labels.scores(label),
        "every_frame": labels.every_frame(label, statistics),
    }
    for each in MARKS:
        marks, seen = labels.marks(label, each)
        yes = sum(mark.verdict is Verdict.YES for mark in marks)
        about = {"yes": yes, "no": len(marks) - yes, "looked_at": seen}
        found[f"{each}+{each}"] = {**about, **fitted(labels, label, fitter, marks, labels.texts[label])}
        if each == MARKS[0]:
            found["without_text"] = {**about, **fitted(labels, label, fitter, marks, None)}
    return found


def fitted(
    labels: Labels, label: int, fitter: ConceptFitter, marks: Sequence[Mark], text: str | None
) -> dict[str, Any]:
    """Figures of a concept; where the marks are too few, those of the text that a user is left with, or of chance."""
    try:
        concept = fitter.fit(ConceptSource("label", labels.names[label], text), marks)
    except QueryError as error:
        left = {"average_precision": labels.share(label), "f1": 0.0} if text is None else labels.scores(label)
        return {**left, "refused": str(error)}
    judgement = {"precision": concept.precision, "recall": concept.recall}
    return {**labels.scores(label, concept), "cross_validated": judgement}


def summary(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over labels of average precision and F1."""
    kinds = ["text", *(f"{each}+{each}" for each in MARKS), "every_frame", "without_text"]
    means: dict[str, Any] = {
        metric: {kind: float(np.mean([one[kind][metric] for one in found])) for kind in kinds}
        for metric in ("average_precision", "f1")
    }
    return {"share": float(np.mean([one["share"] for one in found])), **means}


def measured(train: Sequence[DrawnFilm], test: Sequence[DrawnFilm], searcher: Searcher, store: DrawnStore) -> Any:
    """Figures of the labels that are weakest on the training films, and of those weakest on the test films."""
    labels = Labels(train, test, searcher)
    fitter = ConceptFitter(store, searcher.embedder, "demo")
    statistics = frame_statistics(searcher.calibrator.sample.vectors)
    on_train = {row: labels.on_train(row) for row in range(len(labels.names))}
    seen = [row for row in on_train if labels.shown_frames(row) >= LEAST_FRAMES and np.isfinite(on_train[row])]
    on_test = {row: labels.scores(row)["average_precision"] for row in seen}
    chosen = {
        "weakest_on_training_films": sorted(seen, key=lambda row: on_train[row])[:WEAKEST],
        "weakest_on_test_films": sorted(seen, key=lambda row: on_test[row])[:WEAKEST],
    }
    results: dict[str, Any] = {
        "labels_measured": len(seen),
        "mean_average_precision": float(np.mean([*on_test.values()])),
    }
    for name, rows in chosen.items():
        found = [judged(labels, row, fitter, statistics) for row in rows]
        results[name] = {"mean": summary(found), "labels": found}
        print(f"{name}: {json.dumps(rounded(results[name]['mean'], 3))}", file=sys.stderr, flush=True)
    return results


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, nargs="+", required=True, help="seeds of the films that are marked")
    parser.add_argument("--test", type=int, nargs="+", required=True, help="seeds of the films that are judged")
    parser.add_argument("--cache", type=Path, help="keep embeddings of drawn films in this folder")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/concepts.json"))
    arguments = parser.parse_args()
    if set(arguments.train) & set(arguments.test):
        parser.error("a seed is both for training and for testing")
    return arguments


def main() -> None:
    """Measure, and write the result."""
    arguments = parsed()
    encoder = make_encoder(load_run_config("demo", []).encoder)
    train = draw_films(arguments.train, encoder, arguments.cache)
    test = draw_films(arguments.test, encoder, arguments.cache)
    store = DrawnStore(train)
    searcher = Searcher(encoder.open(), MemoryIndex(), store, Searching())
    content = {
        "train": {"seeds": arguments.train, "frames": sum(len(film.frames) for film in train)},
        "test": {"seeds": arguments.test, "frames": sum(len(film.frames) for film in test)},
        **measured(train, test, searcher, store),
    }
    write_result(arguments.output, "benchmarks.concepts", rounded(content, 4))


if __name__ == "__main__":
    main()
