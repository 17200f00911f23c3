"""Rebuild a library's index from its frame embeddings as a Ray job.

    ray job submit --working-dir . -- python -m jobs.rebuild_index --library /data/library

Nothing is decoded or encoded. The segmentation is the library's own, or what --set says: `--set
segmentation.length_seconds=8`. Arguments, output and exit code are those of `momentseek index rebuild`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipeline.cli import main as momentseek

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `momentseek index rebuild` with these arguments, or those of the command line; its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    return momentseek(["index", "rebuild", *given])


if __name__ == "__main__":
    sys.exit(main())
