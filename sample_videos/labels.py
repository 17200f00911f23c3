"""What is true of each film and when: labelled moments in the form of QVHighlights, intervals of concepts, and cuts."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sample_videos.films import Film, JoinKind
from sample_videos.phrasing import phrase
from sample_videos.statements import CONCEPTS, concepts_of, describe, near_miss
from sample_videos.truth import Facts, Statement, facts, truth_matrix

__all__ = [
    "absent_queries",
    "cut_labels",
    "film_intervals",
    "film_queries",
    "film_truth",
    "true_windows",
    "write_labels",
]

QUERIES_PER_FILM = 7
LEAST_SECONDS = 2.0
LEAST_INTERVAL_SECONDS = 1.0
GREATEST_SHARE = 0.6
ABSENT_PER_FILM = 3
_ALWAYS = (
    ("person in hard hat", CONCEPTS["person in hard hat"]),
    ("person without a hard hat", CONCEPTS["person without a hard hat"]),
)


def true_windows(truth: npt.NDArray[np.int8], times: Sequence[float], end_seconds: float) -> list[list[float]] | None:
    """The intervals in which a statement is true.

    Runs of frames of which it is true, those less than 0.3 s apart joined, those under 1 s left out.

    Returns:
        Intervals in seconds, or None where the truth cannot be said for more than 15 % of the time that it holds.
    """
    true_count, unknown_count = int((truth == 1).sum()), int((truth == 0).sum())
    if true_count == 0 or unknown_count > 0.15 * true_count:
        return None
    edges = [*times, end_seconds]
    windows: list[list[float]] = []
    for number in np.flatnonzero(truth == 1):
        start, end = edges[number], edges[number + 1]
        if windows and start - windows[-1][1] < 0.3:
            windows[-1][1] = end
        else:
            windows.append([start, end])
    return [[round(start, 3), round(end, 3)] for start, end in windows if end - start >= 1.0] or None


def _film_facts(film: Film, times: Sequence[float]) -> list[Facts]:
    known = []
    for seconds in times:
        shot = film.shots[film.shot_at(seconds)]
        known.append(facts(shot.scene, seconds - shot.start_seconds))
    return known


def film_queries(film: Film, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Queries of a film, each true for 2 s or more and for at most 60 % of it, without a qid."""
    times = [float(time) for time in film.frame_times()]
    known = _film_facts(film, times)
    candidates: list[tuple[str, Statement]] = list(_ALWAYS)
    for number, shot in enumerate(film.shots):
        for _ in range(6):
            until = film.shots[number + 1].start_seconds if number + 1 < len(film.shots) else film.duration_seconds
            statement = describe(facts(shot.scene, (until - shot.start_seconds) / 2), rng)
            candidates.append((phrase(statement, rng), statement))
    rng.shuffle(candidates)
    candidates.sort(key=lambda candidate: candidate not in _ALWAYS)
    matrix = truth_matrix([statement for _, statement in candidates], known)
    found: list[str] = []
    for (text, statement), truth in zip(candidates, matrix, strict=True):
        windows = true_windows(truth, times, film.duration_seconds)
        length = sum(end - start for start, end in windows or ())
        answer = json.dumps(windows)
        if windows is None or not LEAST_SECONDS <= length <= GREATEST_SHARE * film.duration_seconds:
            continue
        if found.count(answer) >= 2:
            continue
        found.append(answer)
        yield {
            "query": text,
            "vid": film.name,
            "duration": round(film.duration_seconds, 3),
            "relevant_windows": windows,
            "concepts": concepts_of(statement),
        }
        if len(found) == max(QUERIES_PER_FILM, len(film.shots)):
            return


def absent_queries(film: Film, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Queries that no frame of a film may be said to answer, without a qid.

    The first is the lack of something by itself; the others miss what the film shows by one thing.
    """
    known = _film_facts(film, [float(time) for time in film.frame_times()])
    concepts = rng.sample(list(CONCEPTS.values()), len(CONCEPTS))
    shots = (facts(shot.scene, 0.0) for shot in film.shots)
    misses = [near_miss(describe(shot, rng), rng) for shot in shots for _ in range(4)]
    rng.shuffle(misses)
    found = [_never_true(statements, known) for statements in (concepts, misses)]
    for statement in [*found[0][:1], *found[1], *found[0][1:]][:ABSENT_PER_FILM]:
        yield {
            "query": phrase(statement, rng),
            "vid": film.name,
            "duration": round(film.duration_seconds, 3),
            "relevant_windows": [],
            "concepts": concepts_of(statement),
        }


def _never_true(statements: Sequence[Statement], known: Sequence[Facts]) -> list[Statement]:
    matrix = truth_matrix(statements, known)
    return [statement for statement, truth in zip(statements, matrix, strict=True) if bool((truth == -1).all())]


def film_truth(film: Film, statement: Statement) -> tuple[list[list[float]], bool]:
    """The intervals of a film in which a statement is true, and whether its truth can be said throughout."""
    times = [float(time) for time in film.frame_times()]
    truth = truth_matrix([statement], _film_facts(film, times))[0]
    windows = true_windows(truth, times, film.duration_seconds)
    return windows or [], bool((truth != 0).all())


def film_intervals(film: Film) -> Iterator[dict[str, Any]]:
    """The intervals of a film that show each concept, as `momentseek evaluate` reads them.

    An interval is a run of frames that show the concept, those less than 0.3 s apart joined. What cannot be said is
    unknown: frames of which only a part tells, fades and dissolves, and whatever shows for less than 1 s.
    """
    times = [float(time) for time in film.frame_times()]
    matrix = truth_matrix(list(CONCEPTS.values()), _film_facts(film, times))
    joins = [span for kind in (JoinKind.FADE, JoinKind.DISSOLVE) for span in film.gradual(kind)]
    for name, truth in zip(CONCEPTS, matrix, strict=True):
        true = _runs(truth == 1, times, film.duration_seconds, 0.3)
        shown = [window for window in true if window[1] - window[0] >= LEAST_INTERVAL_SECONDS]
        brief = [window for window in true if window not in shown]
        unknown = [*_runs(truth == 0, times, film.duration_seconds, 0.0), *brief, *map(list, joins)]
        yield {
            "video": film.name,
            "label": name.removeprefix("weather "),
            "duration": round(film.duration_seconds, 3),
            "intervals": [[round(edge, 3) for edge in window] for window in shown],
            "unknown": [[round(edge, 3) for edge in window] for window in _joined(unknown)],
        }


def _runs(is_on: npt.NDArray[np.bool_], times: Sequence[float], end_seconds: float, gap: float) -> list[list[float]]:
    """Runs of frames that are on, those at most so many seconds apart joined."""
    edges = [*times, end_seconds]
    frames = [[edges[number], edges[number + 1]] for number in np.flatnonzero(is_on)]
    return _joined(frames, gap)


def _joined(windows: Sequence[Sequence[float]], gap: float = 0.0) -> list[list[float]]:
    found: list[list[float]] = []
    for start, end in sorted(map(tuple, windows)):
        if found and start - found[-1][1] <= gap:
            found[-1][1] = max(found[-1][1], end)
        else:
            found.append([start, end])
    return found


def cut_labels(film: Film) -> dict[str, Any]:
    """The hard cuts (first frame of the new shot), fades and dissolves of a film, in seconds."""
    return {
        "cuts": [round(seconds, 3) for seconds in film.cut_seconds()],
        "fades": [[round(edge, 3) for edge in span] for span in film.gradual(JoinKind.FADE)],
        "dissolves": [[round(edge, 3) for edge in span] for span in film.gradual(JoinKind.DISSOLVE)],
    }


def write_labels(films: Sequence[Film], folder: Path, seed: int) -> int:
    """Write moments.jsonl, intervals.jsonl and cuts.json; the same films give the same bytes.

    Returns:
        How many queries there are.
    """
    lines: list[str] = []
    for film in films:
        for query in film_queries(film, random.Random(f"momentseek queries {seed} {film.name}")):
            lines.append(json.dumps({"qid": len(lines), **query}, ensure_ascii=False))
    for film in films:
        for query in absent_queries(film, random.Random(f"momentseek absent {seed} {film.name}")):
            lines.append(json.dumps({"qid": len(lines), **query}, ensure_ascii=False))
    (folder / "moments.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    intervals = [json.dumps(row, separators=(",", ":")) for film in films for row in film_intervals(film)]
    (folder / "intervals.jsonl").write_text("".join(f"{line}\n" for line in intervals), encoding="utf-8")
    cuts = {film.name: cut_labels(film) for film in films}
    (folder / "cuts.json").write_text(json.dumps(cuts, indent=1) + "\n", encoding="utf-8")
    return len(lines)
