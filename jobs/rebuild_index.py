"""Write the index of a library anew, from its frame embeddings, as a Ray job.

    ray job submit --working-dir . -- python -m jobs.rebuild_index /data/library

Nothing is decoded or encoded. The segmentation is the library's own, or what --set says: `--set
segmentation.length_seconds=8`. Exit code 0, 1 if the index or the embeddings cannot be used, 2 if a setting is wrong or
there is no such library.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from pipeline.errors import ConfigError, MomentseekError, QueryError
from pipeline.library import Library
from pipeline.library_file import read_library_file

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Rebuild, and print as JSON how many rows were written; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m jobs.rebuild_index", description="Write a library's index anew.")
    parser.add_argument("library", help="the library's folder or URL")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args(arguments)
    try:
        if read_library_file(given.library) is None:
            raise QueryError(f"there is no library {given.library!r}")
        with Library.open(given.library, overrides=given.overrides) as library:
            rows = library.rebuild_index()
    except MomentseekError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2 if isinstance(error, ConfigError | QueryError) else 1
    sys.stdout.write(json.dumps({"library": given.library, "rows": rows}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
