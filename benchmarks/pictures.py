"""Pictures asked for by themselves: frames of a library's videos find their place, and frames of others nothing.

    python -m benchmarks.pictures FOLDER... [--others FOLDER...] [--frames 200] [--config demo] [--output FILE.json]

The videos of each folder are indexed by the in-process executor. Frames are drawn from them at random times, so that
most lie between two sampled ones, and each is asked for in three ways:

- `whole`: as it was decoded, saved without loss.
- `compressed`: halved in size and saved as JPEG of quality 75.
- `clip`: the second of the video that begins with it, by the video file itself.

For each way: the share whose first moment is at the frame's own second (it is of the same video, and less than a second
away from the frame), the share that scores at least 0.9, and the share that finds nothing. Frames of the other folders
are asked as `whole`; of these, the share that finds nothing counts.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.search import indexed
from benchmarks.setting import rounded, write_result
from pipeline.library import Library
from pipeline.run_config import RunConfig, load_run_config
from pipeline.search import Query, as_query
from pipeline.sources import expand
from pipeline.video import make_decoder

WAYS = ("whole", "compressed", "clip")


@dataclass(frozen=True)
class Picture:
    """A frame of a video.

    Attributes:
        uri: The video.
        seconds: When the frame is shown.
        rgb: uint8 (H, W, 3).
    """

    uri: str
    seconds: float
    rgb: npt.NDArray[np.uint8]


def frames_of(folders: Sequence[Path], count: int, config: RunConfig, seed: int = 0) -> Iterator[Picture]:
    """About so many frames of the videos in some folders, as many of each, at random times."""
    rng = random.Random(seed)
    decoder = make_decoder(config.decoding, config.fetching)
    uris = [source.uri for source in expand([str(folder) for folder in folders])]
    for uri in uris:
        with decoder.open(uri) as stream:
            total = sum(1 for _ in stream.frames())
        chosen = set(rng.sample(range(total), min(-(-count // len(uris)), total)))
        with decoder.open(uri) as stream:
            for number, frame in enumerate(stream.frames()):
                if number in chosen:
                    yield Picture(uri, float(frame.time), frame.rgb())


def question(picture: Picture, way: str, folder: Path) -> Query:
    """The frame as a question; a file that this needs is written to a folder."""
    if way == "clip":
        term = {"clip": picture.uri, "start": picture.seconds, "end": picture.seconds + 1}
        return as_query({"shows": [term]})
    image = Image.fromarray(picture.rgb)
    path = folder / ("frame.png" if way == "whole" else "frame.jpg")
    if way == "compressed":
        image = image.resize((max(1, image.width // 2), max(1, image.height // 2)))
        image.save(path, quality=75)
    else:
        image.save(path)
    return as_query({"shows": [{"image": str(path)}]})


def own(library: Library, pictures: Sequence[Picture], way: str, folder: Path) -> dict[str, float]:
    """Shares of frames of the library: first at their own second, with a score of 0.9, without an answer."""
    firsts, scores = [], []
    for picture in pictures:
        moments = library.ask(question(picture, way, folder)).moments
        scores.append(moments[0].score if moments else 0.0)
        firsts.append(bool(moments) and any(_is_at(moment, picture) for moment in (moments[0], *moments[0].copies)))
    return {
        "frames": len(pictures),
        "first": float(np.mean(firsts)),
        "scores_0.9": float(np.mean(np.asarray(scores) >= 0.9)),
        "nothing": float(np.mean(np.asarray(scores) == 0)),
        "least_score": min(scores),
    }


def _is_at(moment: Any, picture: Picture) -> bool:
    is_near = moment.start_seconds - 1 < picture.seconds < moment.end_seconds + 1
    return bool(is_near and moment.uri.endswith(Path(picture.uri).name))


def main() -> None:
    """Run all and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--others", nargs="*", default=[], type=Path, help="folders of videos that are not indexed")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--config", default="demo", help="the model and all else (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/pictures.json"))
    arguments = parser.parse_args()
    config = load_run_config(arguments.config, ["execution.executor=in_process", "index.backend=memory"])
    results: dict[str, Any] = {"own": {}, "others": {}}
    with tempfile.TemporaryDirectory() as place:
        for folder in arguments.folders:
            pictures = list(frames_of([folder], arguments.frames, config))
            with indexed(folder, f"{place}/{folder.name}", config, {}) as library:
                results["own"][folder.name] = {way: own(library, pictures, way, Path(place)) for way in WAYS}
                for other in arguments.others:
                    if other != folder:
                        strangers = list(frames_of([other], arguments.frames, config, seed=1))
                        name = f"{other.name} in {folder.name}"
                        results["others"][name] = own(library, strangers, "whole", Path(place))
            print(folder.name, rounded(results["own"][folder.name]), flush=True)
    print(rounded(results["others"]))
    write_result(arguments.output, "benchmarks.pictures", {"config": arguments.config, **rounded(results)})


if __name__ == "__main__":
    main()
