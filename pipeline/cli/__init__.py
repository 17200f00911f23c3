"""The command line: it only parses arguments and prints results.

No package but click is imported until a command runs, so that `momentseek --help` answers at once.
"""

from __future__ import annotations

from pipeline.cli.app import main

__all__ = ["main"]
