"""Label the videos of a library as a Ray job.

    ray job submit --working-dir . -- python -m jobs.label vehicles --library /data/library

The cluster is the one that runs the job: its machines read the frame embeddings and score them, the job itself is the
one writer of the library. The machines must see the library at the same path. Arguments, output and exit code are those
of `momentseek label`. A job that was stopped goes on when it is submitted again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.cli import main as momentseek

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `momentseek label` on Ray with these arguments, or those of the command line; its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    return momentseek(["label", "--executor", "ray", *given])


if __name__ == "__main__":
    sys.exit(main())
