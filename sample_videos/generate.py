"""Draw the sample films and write their labels: `python -m sample_videos.generate --seed 7 --out DIR`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sample_videos.films import COMMITTED_SEED, write_scripts
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
    parser.add_argument("--labels-only", action="store_true", help="write moments.jsonl and cuts.json and draw nothing")
    options = parser.parse_args(arguments)
    if options.films is not None and options.films < 1:
        parser.error(f"--films: at least 1, got {options.films}")
    if options.out is None and (options.seed != COMMITTED_SEED or options.films):
        parser.error("--out: name a folder; only the committed films, whole, are written to their own place")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Write the films of a seed and their labels."""
    options = parse(arguments)
    folder: Path = options.out or HERE
    folder.mkdir(parents=True, exist_ok=True)
    films = list(write_scripts(options.seed, options.films))
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


if __name__ == "__main__":
    sys.exit(main())
