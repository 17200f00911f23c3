"""The command line and the result of benchmarks that print their figures and write them only if asked to."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["print_result", "result_parser"]


def result_parser(description: str | None) -> argparse.ArgumentParser:
    """Make a parser with the option `--to`, a file for the result.

    Args:
        description: The benchmark's docstring.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, help="Also write the result to this file.")
    return parser


def print_result(figures: Mapping[str, Any], to: Path | None) -> None:
    """Print figures as JSON, after facts of the machine, and write the same to a file if one is given."""
    facts = {
        "machine": platform.machine(),
        "processors": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }
    text = json.dumps({**facts, **figures}, indent=2)
    print(text)
    if to is not None:
        to.write_text(f"{text}\n", encoding="utf-8")
