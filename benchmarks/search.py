"""What each part of a search adds: films with labelled moments, answered in ever more ways.

    python -m benchmarks.search FOLDER... [--config demo] [--output benchmarks/results/search.json]

A folder holds videos and their `moments.jsonl`, as `sample_videos.generate` writes them, questions that a film does not
answer among them. Each is indexed by the in-process executor, once with segments of fixed length and cuts unknown, and
once with shots. Every question is asked within its film. The ways:

- `segments`: what the index nominates is the answer, four seconds at a time, by the cosine of their pooled vectors.
- `scales`: the same with segments of two, eight and 32 seconds.
- `shots`: shots are the answer, by the mean cosine of their frames: the proposals, and their matching with the
  question, of Diwan, Peng and Mooney 2022 (arXiv:2211.02178), without what they do to join shots.
- `frames`: moments are found on the frames of the nominated videos (`pipeline.search.localization`), cuts unknown.
- `frames_and_cuts`: the same with cuts.
- `calibrated`: the same, with scores that mean something (`pipeline.search.calibration`) in place of cosines.
- `prompts`: the same, texts in `PROMPTS`.
- `refined`: calibrated, with ends looked at again in the video (`pipeline.search.boundary_refinement`).
- `truth`: the labels stand in for the model; what is lost here, sampling and search lose.

A threshold is worth what `rejection` says: of questions without an answer, the share that is answered with nothing
where at most a tenth of the others are. It is one threshold for all folders.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.setting import rounded, write_result
from pipeline.encode import make_encoder
from pipeline.evaluate import Evaluation, LabelledQuery, TopAnswer, evaluate, read_labelled, rejection_curve
from pipeline.index import MomentIndex
from pipeline.library import Library
from pipeline.run_config import RunConfig, load_run_config
from pipeline.sampling import FixedRate
from pipeline.search import Query, as_query
from pipeline.search.localization import Curve, Levels, find_spans
from pipeline.segment import FixedWindows, Scales
from pipeline.segment.intervals import end_of
from pipeline.sources import expand
from pipeline.types import FrameEmbeddings, Moment, Status

METRICS = (
    "MR-full-R1@0.5",
    "MR-full-R1@0.7",
    "MR-full-mAP",
    "MR-full-mIoU",
    "MR-full-start-error-seconds",
    "MR-full-end-error-seconds",
)
PROMPTS = ("{}", "a photo of {}", "a video frame that shows {}", "a picture of {} seen by a camera")


class Way:
    """A way of answering: as the library does.

    Args:
        library: Where.
        queries: The labelled set.
    """

    def __init__(self, library: Library, queries: Sequence[LabelledQuery]) -> None:
        self._library = library
        self._queries = queries

    def search(
        self, question: str, *, top: int | None = None, videos: Iterable[str] = (), min_score: float | None = None
    ) -> list[Moment]:
        """The moments of an answer, best first."""
        query = as_query(question, {"top": top, "videos": tuple(videos), "min_score": min_score})
        return self.answered(query)[:top]

    def answered(self, query: Query) -> list[Moment]:
        """The moments, best first."""
        return list(self._library.ask(query).moments)

    def find(self, *names: str) -> tuple[str, ...]:
        """As of the library."""
        return self._library.find(*names)

    def moment_index(self) -> MomentIndex:
        """As of the library."""
        return self._library.moment_index()

    def frames_of(self, query: Query) -> FrameEmbeddings:
        """The frames of the one video that is asked about."""
        return self._library.store.read(self.find(*query.videos)[0])


class Segments(Way):
    """What the index nominates."""

    def answered(self, query: Query) -> list[Moment]:
        """The nominated segments."""
        return [
            _moment(found.video_id, found.start_seconds, found.end_seconds, found.cosine)
            for found in self._library.ask(query).explanation.candidates
        ]


class ShotMeans(Way):
    """Shots by their frames' mean cosine."""

    def __init__(self, library: Library, queries: Sequence[LabelledQuery]) -> None:
        super().__init__(library, queries)
        self._encoder = make_encoder(library.config.encoder).open()

    def answered(self, query: Query) -> list[Moment]:
        """All shots."""
        frames = self.frames_of(query)
        vector = self._encoder.encode_texts([str(query.shows[0].text)])[0]
        cosines = frames.vectors @ vector
        edges = [0.0, *(frames.cuts_seconds or ()), end_of(frames)]
        shots = []
        for start, end in pairwise(edges):
            inside = (frames.times_seconds >= start) & (frames.times_seconds < end)
            if inside.any():
                shots.append(_moment(frames.video_id, start, end, float(cosines[inside].mean())))
        return sorted(shots, key=lambda shot: -shot.score)


class Cosines(Way):
    """As the library, with cosines for scores."""

    def answered(self, query: Query) -> list[Moment]:
        """The same moments."""
        return [replace(moment, score=moment.cosine) for moment in super().answered(query)]


class Refined(Way):
    """With ends looked at again."""

    def answered(self, query: Query) -> list[Moment]:
        """Refined moments."""
        return super().answered(query.model_copy(update={"refine": True}))


class Truth(Way):
    """The labels in place of the model."""

    def answered(self, query: Query) -> list[Moment]:
        """What the search makes of a curve that is 1 where the label says so, and 0 elsewhere."""
        frames = self.frames_of(query)
        text, video_id = query.shows[0].text, frames.video_id
        windows = next(q.windows for q in self._queries if q.text == text and self.find(q.video) == (video_id,))
        times = frames.times_seconds
        scores = np.zeros(len(times))
        for start, end in windows:
            scores[(times >= start) & (times < end)] = 1.0
        curve = Curve(times, scores, np.asarray(frames.cuts_seconds or ()), end_of(frames))
        search = self._library.config.search
        runs = [(time, np.nextafter(time, np.inf)) for time in times[scores > 0]]
        spans = find_spans(runs, curve, Levels(0.0, search.merge_ratio, search.edge_ratio))
        return [_moment(video_id, span.start_seconds, span.end_seconds, span.score) for span in spans]


def _moment(video_id: str, start: float, end: float, score: float) -> Moment:
    return Moment(video_id=video_id, uri="", start_seconds=start, end_seconds=end, best_seconds=start, score=score)


def indexed(folder: Path, place: str, config: RunConfig, changes: dict[str, Any]) -> Library:
    """A library of a folder's films.

    Raises:
        RuntimeError: A film could not be indexed.
    """
    library = Library(config.model_copy(update={"library": place, **changes}))
    reports = list(library.index([source.uri for source in expand([str(folder)])]))
    failed = [report for report in reports if report.status not in (Status.DONE, Status.SKIPPED)]
    if failed:
        raise RuntimeError(f"{failed[0].source.uri}: {failed[0].problem}")
    return library


def evaluated(folder: Path, config: RunConfig) -> dict[str, Evaluation]:
    """All ways on one folder."""
    queries = read_labelled(folder / "moments.jsonl")
    with ExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory())
        plain = {"sampling": FixedRate(fps=2.0), "segmentation": FixedWindows()}
        windows = stack.enter_context(indexed(folder, f"{place}/windows", config, plain))
        lengths = {**plain, "segmentation": Scales()}
        scales = stack.enter_context(indexed(folder, f"{place}/windows", config, lengths))
        shots = stack.enter_context(indexed(folder, f"{place}/shots", config, {}))
        prompts = config.encoder.model_copy(update={"prompts": PROMPTS})
        prompted = stack.enter_context(indexed(folder, f"{place}/shots", config, {"encoder": prompts}))
        ways = {
            "segments": Segments(windows, queries),
            "scales": Segments(scales, queries),
            "shots": ShotMeans(shots, queries),
            "frames": Cosines(windows, queries),
            "frames_and_cuts": Cosines(shots, queries),
            "calibrated": Way(shots, queries),
            "prompts": Way(prompted, queries),
            "refined": Refined(shots, queries),
            "truth": Truth(shots, queries),
        }
        return {name: evaluate(way, queries, ranks_videos=False) for name, way in ways.items()}


def summary(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """The means of some folders' metrics, and one threshold for all."""
    answers = [answer for evaluation in evaluations for answer in evaluation.answers]
    tops = [
        TopAnswer(answer.moments[0].score if answer.moments else None, answer.is_absent, answer.first_iou >= 0.5)
        for answer in answers
    ]
    curve = rejection_curve(tops)
    point = None if curve is None else curve.operating
    return {
        **{name: statistics.fmean(e.metrics[name] for e in evaluations) for name in METRICS},
        "threshold": None if point is None else point.threshold,
        "absent_rejected": None if point is None else point.absent_rejected,
        "true_lost": None if point is None else point.true_lost,
    }


def main() -> None:
    """Run all and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--config", default="demo", help="the model and all else (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/search.json"))
    arguments = parser.parse_args()
    config = load_run_config(arguments.config, ["execution.executor=in_process", "index.backend=memory"])
    found: dict[str, list[Evaluation]] = {}
    for folder in arguments.folders:
        for name, evaluation in evaluated(folder, config).items():
            found.setdefault(name, []).append(evaluation)
        print(folder.name, flush=True)
    results = {name: rounded(summary(evaluations)) for name, evaluations in found.items()}
    for name, row in results.items():
        print(f"{name:<18}" + "  ".join(f"{key.removeprefix('MR-full-')} {value}" for key, value in row.items()))
    first = next(iter(found.values()))
    questions = sum(len(evaluation.answers) for evaluation in first)
    absent = sum(evaluation.absent for evaluation in first)
    content = {"config": arguments.config, "questions": questions, "absent": absent, "results": results}
    write_result(arguments.output, "benchmarks.search", content)


if __name__ == "__main__":
    main()
