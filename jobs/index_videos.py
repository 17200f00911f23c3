"""Index videos as a Ray job.

    ray job submit --working-dir . -- python -m jobs.index_videos /videos --library /data/library --config default

The cluster is the one that runs the job. Its machines must see videos and library at the same paths; the job itself is
the one writer of the library. Arguments and exit code are those of `momentseek index`; each report is a line of JSON,
so that the job's log can be read by programs.

`momentseek submit` sends `--batch FOLDER` in their place: the folder holds the configuration (config.yaml), the sources
and what they need (batch.json).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from jobs.environment import take_sent_variables
from jobs.requirements import missing, python_here

__all__ = ["main"]

_PROGRESS_SECONDS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `momentseek index --json` with these arguments, or those of the command line; its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["--batch"] and len(given) == 2:
        folder = Path(given[1])
        batch = json.loads((folder / "batch.json").read_text(encoding="utf-8"))
        faults = list(missing(batch["requirements"]))
        if faults:
            sys.stderr.write(_said(batch["momentseek"], faults))
            return 1
        take_sent_variables()
        config = str(folder / "config.yaml")
        # Behind "--" nothing is an option, whatever a file is called.
        given = [
            "--progress-every",
            str(_PROGRESS_SECONDS),
            "--config",
            config,
            "--",
            *_names(batch["sources"], folder),
        ]
    from pipeline.cli import main as momentseek

    return momentseek(["index", "--json", *given])


def _names(sources: Sequence[str | dict[str, str]], folder: Path) -> list[str]:
    """What `momentseek index` is told: names as they were given, lists and manifests by the batch's files."""
    return [source if isinstance(source, str) else str(folder / source["file"]) for source in sources]


def _said(version: str, faults: Sequence[str]) -> str:
    listed = "\n".join(f"  {fault}" for fault in faults)
    return (
        f"error: {python_here()} of this cluster lacks what momentseek {version} needs:\n{listed}\n"
        "Start Ray from an environment in which momentseek is installed, or submit with --pip\n"
    )


if __name__ == "__main__":
    sys.exit(main())
