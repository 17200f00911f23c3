"""Run an experiment as a Ray job.

    ray job submit --working-dir . -- python -m jobs.run_experiment sampling --work /data/experiments/sampling

Videos are read and encoded by the cluster that runs the job, and scored on its head; machines must see videos, labels
and the work folder at the same paths. Arguments, output and exit code are those of `momentseek experiment`; the page is
in the work folder. A job that was stopped goes on when it is submitted again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.cli import main as momentseek

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `momentseek experiment` with these arguments, or those of the command line; its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    return momentseek(["experiment", *given])


if __name__ == "__main__":
    sys.exit(main())
