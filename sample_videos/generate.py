"""Draw the sample films and write their labels: `python -m sample_videos.generate --seed 7 --out DIR`.

`--minutes 20` draws one long film of 720 lines instead, for measurements.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sample_videos.films import COMMITTED_SEED, Film, write_long_script, write_scripts, write_watch_script
from sample_videos.labels import write_labels

HERE = Path(__file__).resolve().parent
NO_SKIA = (
    "the sample world cannot be drawn: {error}\n"
    "Install it by `pip install 'momentseek[world]'` and its libraries (Debian: apt-get install libgl1 libegl1)."
)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser("python -m sample_videos.generate", description=__doc__)
    parser.add_argument("--seed", type=int, default=COMMITTED_SEED, help="which films (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="folder for the films and their labels")
    parser.add_argument("--films", type=int, help="only the first so many films")
    parser.add_argument("--minutes", type=float, help="one long film of so many minutes in place of the short ones")
    parser.add_argument("--height", type=int, default=720, help="lines of the long film (default: %(default)s)")
    parser.add_argument("--fixed-camera", action="store_true", help="with --minutes: a camera that watches one place")
    parser.add_argument("--labels-only", action="store_true", help="write the labels and draw nothing")
    options = parser.parse_args(arguments)
    if options.films is not None and options.films < 1:
        parser.error(f"--films: at least 1, got {options.films}")
    if options.minutes is not None and not 0 < options.minutes <= 600:
        parser.error(f"--minutes: more than 0 and at most 600, got {options.minutes:g}")
    if options.fixed_camera and options.minutes is None:
        parser.error("--fixed-camera: say how long it watches by --minutes")
    if options.height % 2 or not 90 <= options.height <= 2160:
        parser.error(f"--height: an even number from 90 to 2160, got {options.height}")
    if options.out is None and (options.seed != COMMITTED_SEED or options.films or options.minutes):
        parser.error("--out: name a folder; only the committed films, whole, are written to their own place")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Write the films of a seed and their labels."""
    options = parse(arguments)
    folder: Path = options.out or HERE
    folder.mkdir(parents=True, exist_ok=True)
    films = _scripts(options)
    count = write_labels(films, folder, options.seed)
    print(f"{folder}: {count} labelled queries of {len(films)} films", file=sys.stderr)
    if options.labels_only:
        return 0
    try:
        from sample_videos.filming import write_film
    except ImportError as error:
        print(NO_SKIA.format(error=error), file=sys.stderr)
        return 1
    for number, film in enumerate(films, 1):
        path = write_film(film, folder)
        print(
            f"{number}/{len(films)} {path.name}  {film.duration_seconds:.1f} s  {path.stat().st_size / 1e6:.2f} MB",
            file=sys.stderr,
            flush=True,
        )
    return 0


def _scripts(options: argparse.Namespace) -> list[Film]:
    if options.minutes is None:
        return list(write_scripts(options.seed, options.films))
    write = write_watch_script if options.fixed_camera else write_long_script
    return [write(options.seed, options.minutes, options.height)]


if __name__ == "__main__":
    sys.exit(main())
