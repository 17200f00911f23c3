"""Does a policy find the events of a fixed camera, with how many false alarms an hour, and how late?

The films are those of `python -m sample_videos.generate --fixed-camera --seed N --minutes 10 --height 360`: a place
where for most of the time nothing happens. Their sampled frames are drawn at 2 frames a second and compressed as JPEG,
in place of a whole film; the demo model embeds them into a library, which is checked as `momentseek check` does it. The
truth is that of the script, ten times a second.

An event is a stretch of 2 s or more in which a clearly seen person wears no hard hat (gaps below 0.3 s closed). It is
found if a flagged interval overlaps it. A flagged interval is a false alarm if at no time of it the statement is true,
or cannot be said (a person of whom only a part is seen). The delay of a found event is the time from its beginning to
the beginning of the first interval that overlaps it, or 0 if the interval begins earlier. A live alert could be raised
only after a further `min_seconds`.

The policy was chosen on seeds 8101 to 8136, 9101 to 9112, 9121 to 9144 and 9161 to 9184; it is judged on others.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.setting import rounded, write_result
from pipeline import Library
from pipeline.analyze.policies.policy import Policy, as_policy, read_policy
from pipeline.encode import Encoder, OpenEncoder, make_encoder
from pipeline.library.analysis.policies.check import open_check
from pipeline.run_config import load_run_config
from pipeline.types import FrameEmbeddings, Status, VideoInfo, VideoRecord
from sample_videos.films import Film, write_watch_script
from sample_videos.statements import CONCEPTS
from sample_videos.truth import facts, truth_matrix

RESULT = Path(__file__).parent / "results" / "policies.json"
MINUTES, HEIGHT, FPS, TRUTH_FPS = 10.0, 360, 2, 10
EVENT_SECONDS = 2.0
GAP_SECONDS = 0.3
JPEG_QUALITY = 75
STATEMENT = CONCEPTS["person without a hard hat"]
RULE = "no-hard-hat"

Intervals = list[tuple[float, float]]


@dataclass
class Counts:
    """What was found, over all films.

    Attributes:
        events: True events.
        found: Those that a flagged interval overlaps.
        flagged: Flagged intervals.
        false_alarms: Those during which the statement is never true, nor unknown.
        unknown: Those during which it is never true and at times unknown.
        hours: Length of the films.
        delays: Seconds, one a found event.
        missed: Seed, start and end of each event that was missed.
        false: Seed, start and end of each false alarm.
    """

    events: int = 0
    found: int = 0
    flagged: int = 0
    false_alarms: int = 0
    unknown: int = 0
    hours: float = 0.0
    delays: list[float] = field(default_factory=list)
    missed: list[tuple[int, float, float]] = field(default_factory=list)
    false: list[tuple[int, float, float]] = field(default_factory=list)

    def add(self, seed: int, film: Film, flagged: Intervals) -> None:
        """Count the events and intervals of a film."""
        true, possible = truth_intervals(film)
        events = [each for each in true if each[1] - each[0] >= EVENT_SECONDS]
        self.hours += film.duration_seconds / 3600
        self.events += len(events)
        self.flagged += len(flagged)
        for start, end in events:
            starts = [one for one, other in flagged if one < end and start < other]
            if starts:
                self.found += 1
                self.delays.append(max(0.0, min(starts) - start))
            else:
                self.missed.append((seed, start, end))
        for start, end in flagged:
            if not _overlaps(start, end, possible):
                self.false_alarms += 1
                self.false.append((seed, start, end))
            elif not _overlaps(start, end, true):
                self.unknown += 1

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON values."""
        delays = np.asarray(self.delays or [np.nan])
        return {
            "hours": self.hours,
            "events": self.events,
            "events_found": self.found / max(1, self.events),
            "flagged_intervals": self.flagged,
            "false_alarms": self.false_alarms,
            "false_alarms_an_hour": self.false_alarms / self.hours,
            "intervals_of_unknown_truth": self.unknown,
            "delay_seconds": {
                "mean": float(delays.mean()),
                "median": float(np.median(delays)),
                "percentile_95": float(np.percentile(delays, 95)),
                "greatest": float(delays.max()),
                "share_of_1_s_or_less": float((delays <= 1.0).mean()),
            },
            "missed": self.missed,
            "false": self.false,
        }


def truth_intervals(film: Film) -> tuple[Intervals, Intervals]:
    """The stretches of a film in which the statement is true, and those in which it is not false."""
    times = np.arange(int(film.duration_seconds * TRUTH_FPS)) / TRUTH_FPS
    shots = [film.shots[film.shot_at(float(seconds))] for seconds in times]
    known = [facts(shot.scene, float(seconds) - shot.start_seconds) for shot, seconds in zip(shots, times, strict=True)]
    truth = truth_matrix([STATEMENT], known)[0]
    return _runs(truth == 1, times), _runs(truth >= 0, times)


def _runs(is_on: npt.NDArray[np.bool_], times: npt.NDArray[np.float64]) -> Intervals:
    found: Intervals = []
    for seconds in times[is_on].tolist():
        if found and seconds - found[-1][1] < GAP_SECONDS:
            found[-1] = found[-1][0], seconds + 1 / TRUTH_FPS
        else:
            found.append((seconds, seconds + 1 / TRUTH_FPS))
    return found


def _overlaps(start: float, end: float, intervals: Intervals) -> bool:
    return any(start < other and one < end for one, other in intervals)


def embedded(film: Film, seed: int, encoder: Encoder, opened: OpenEncoder, cache: Path | None) -> FrameEmbeddings:
    """Draw and embed the sampled frames of a film; what was computed before is taken from the cache."""
    times = np.arange(int(film.duration_seconds * FPS)) / FPS
    path = None if cache is None else cache / f"{seed}-{encoder.fingerprint}.npy"
    if path is not None and path.exists():
        vectors = np.load(path)
    else:
        vectors = np.concatenate(list(_embedded(film, times, encoder, opened)))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, vectors)
    return FrameEmbeddings(
        video_id=f"watch-{seed}",
        pts=np.arange(len(times)),
        time_base=Fraction(1, FPS),
        times_seconds=times,
        vectors=vectors,
        cuts_seconds=(),
        duration_seconds=film.duration_seconds,
        step_seconds=1 / FPS,
    )


def _embedded(
    film: Film, times: npt.NDArray[np.float64], encoder: Encoder, opened: OpenEncoder, batch: int = 64
) -> Iterator[npt.NDArray[np.float32]]:
    import cv2

    from sample_videos.filming import film_frame

    preprocessing = encoder.preprocessing()
    size = preprocessing.image_width, preprocessing.image_height
    for first in range(0, len(times), batch):
        pictures = []
        for seconds in times[first : first + batch]:
            frame = np.ascontiguousarray(film_frame(film, float(seconds))[:, :, ::-1])
            packed = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
            picture = np.ascontiguousarray(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))[:, :, ::-1])
            pictures.append(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
        yield opened.encode_images(np.stack(pictures).astype(np.uint8))


def record_of(film: Film, frames: FrameEmbeddings, seed: int) -> VideoRecord:
    """The record of a film that was drawn."""
    info = VideoInfo(
        uri=f"/drawn/{seed}.mp4",
        container="mp4",
        codec="h264",
        width=film.width,
        height=film.height,
        rotation_degrees=0,
        time_base=frames.time_base,
        start_time=Fraction(0),
        average_rate=None,
        duration_seconds=film.duration_seconds,
    )
    return VideoRecord(
        video_id=frames.video_id,
        names=(info.uri,),
        status=Status.DONE,
        info=info,
        duration_seconds=film.duration_seconds,
        covered_seconds=film.duration_seconds,
        frame_count=len(frames),
        metadata={"camera": f"camera {seed}"},
    )


def judge(seeds: Sequence[int], policy: Policy, cache: Path | None) -> Counts:
    """Check the films of seeds by a policy and compare what its rule flags with the truth."""
    counts = Counts()
    with tempfile.TemporaryDirectory() as folder:
        settings = [f"library={folder}/library", "index.backend=memory", "execution.executor=in_process"]
        config = load_run_config("demo", settings)
        encoder = make_encoder(config.encoder)
        films = {seed: write_watch_script(seed, MINUTES, HEIGHT) for seed in seeds}
        with Library.open(config) as library:
            for seed, film in films.items():
                frames = embedded(film, seed, encoder, library.model(), cache)
                library.store.write(record_of(film, frames, seed), frames)
                print(f"seed {seed}: {len(frames)} frames", flush=True)
            for checked in open_check(library, policy).run():
                seed = int(checked.decision.video_id.removeprefix("watch-"))
                flags = [flag for rule, flag in checked.decision.flags if rule == RULE]
                counts.add(seed, films[seed], [(flag.start_seconds, flag.end_seconds) for flag in flags])
    return counts


def main() -> None:
    """Judge the rule `no-hard-hat` of the policy that comes with momentseek."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.policies", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seeds", type=int, nargs="*", default=list(range(9221, 9245)), help="default: 9221 to 9244")
    parser.add_argument("--policy", help="another policy with a rule no-hard-hat; default: protective-equipment")
    parser.add_argument("--cache", type=Path, help="folder for embeddings of drawn films")
    parser.add_argument("--output", type=Path, default=RESULT, help="default: %(default)s")
    options = parser.parse_args()
    read = read_policy(options.policy or "protective-equipment")
    policy = as_policy({"name": read.name, "rules": {RULE: read.rules[RULE].model_dump(mode="json", by_alias=True)}})
    counts = judge(options.seeds, policy, options.cache)
    result = {
        "seeds": options.seeds,
        "minutes_a_film": MINUTES,
        "policy": read.rules[RULE].model_dump(mode="json", by_alias=True, exclude_defaults=True),
        **counts.as_json(),
    }
    print({name: value for name, value in result.items() if name not in ("missed", "false")})
    write_result(options.output, "benchmarks.policies", rounded(result))


if __name__ == "__main__":
    main()
