"""Set the environment variables sent with a job; Ray calls this in each worker (`worker_process_setup_hook`).

Only Python's own modules are imported here: it runs in every process, whatever it is for.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

__all__ = ["take_sent_variables"]


def take_sent_variables() -> None:
    """Set the variables in the working directory's environment.json, overriding those of the machine."""
    try:
        variables = json.loads(Path("environment.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    os.environ.update(variables)
