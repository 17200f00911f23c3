"""Index videos as a Ray job.

    ray job submit --working-dir . -- python -m jobs.index_videos /videos --library /data/library --config default

The cluster is the one that runs the job. Its machines must see videos and library at the same paths; the job itself is
the one writer of the library. Arguments and exit code are those of `momentseek index`; each report is a line of JSON,
so that the job's log can be read by programs.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.cli import main as momentseek

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `momentseek index --json` with these arguments, or those of the command line; its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    return momentseek(["index", "--json", *given])


if __name__ == "__main__":
    sys.exit(main())
