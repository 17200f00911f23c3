"""A batch as it is sent to a cluster: its name, its files and its runtime environment. Ray is not needed for any of it.

What a job is told travels in files of its working directory, not in its command: a command has a greatest length, and
everybody who may list jobs reads it. So do the variables of its environment: Ray lists the variables of a runtime
environment and writes them to its logs, and does neither with files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config import fingerprint

__all__ = ["JOB_PREFIX", "JobBatch", "named_sources"]

JOB_PREFIX = "momentseek-"
_PROJECT = Path(__file__).resolve().parent.parent.parent
_CODE = ("pipeline", "jobs")
# Ray kills a job three seconds after it asked it to end; writing what is finished and closing the index takes longer.
_STOP_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class JobBatch:
    """What one job indexes, and how.

    Attributes:
        config_yaml: The whole configuration; its paths are the cluster's.
        identity: What of the configuration makes it this batch and no other, as JSON can hold it.
        library: Where the library is, for people.
        sources: What the user named, as `named_sources` gives it.
        version: Of momentseek.
        requirements: Packages that the job needs, as pip writes them.
        installs: Whether Ray installs them for the job; otherwise the cluster must have them.
        environment: Variables for the job and its workers, secrets among them.
    """

    config_yaml: str
    identity: Mapping[str, Any]
    library: str
    sources: tuple[str, ...]
    version: str
    requirements: tuple[str, ...] = ()
    installs: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def base_id(self) -> str:
        """The job's id: the same for the same batch, in whatever order its sources are named."""
        return f"{JOB_PREFIX}{fingerprint(self.identity, json.dumps(sorted(self.sources)))}"

    @property
    def entrypoint(self) -> str:
        """The command that the cluster runs."""
        return "python -m jobs.index_videos --batch ."

    @property
    def metadata(self) -> dict[str, str]:
        """What `momentseek jobs` shows of a job; everybody who may list jobs reads it."""
        return {"momentseek": self.version, "library": self.library, "sources": str(len(self.sources))}

    def files(self) -> dict[str, str]:
        """The files of the job's working directory, by name."""
        told = {"momentseek": self.version, "requirements": list(self.requirements), "sources": list(self.sources)}
        files = {"config.yaml": self.config_yaml, "batch.json": json.dumps(told, indent=1)}
        if self.environment:
            files["environment.json"] = json.dumps(dict(self.environment))
        return files

    def write(self, folder: Path) -> None:
        """Write these files, readable by their owner alone, as they will be on the cluster."""
        for name, text in self.files().items():
            path = folder / name
            path.touch(mode=0o600)
            path.write_text(text, encoding="utf-8")

    def runtime_env(self, folder: str) -> dict[str, Any]:
        """Ray's runtime environment: the code and the batch's files, and packages where Ray is to install them.

        The code is that of this process, so a job is of the version that submitted it.

        Args:
            folder: Where `write` wrote.
        """
        env: dict[str, Any] = {
            "working_dir": folder,
            "py_modules": [str(_PROJECT / name) for name in _CODE],
            "excludes": ["__pycache__/"],
            "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(_STOP_SECONDS)},
        }
        if self.environment:
            env["worker_process_setup_hook"] = "jobs.environment.take_sent_variables"
        if self.installs:
            env["pip"] = {"packages": list(self.requirements), "pip_check": False}
        return env


def named_sources(paths: Iterable[str]) -> tuple[str, ...]:
    """What a user named, as a machine with another working directory understands it.

    URIs stay, paths and patterns become absolute; folders and patterns are opened out where the videos are. A list file
    (.txt) that exists here is read here: one path a line, relative to its folder; empty lines and lines that begin with
    # are skipped.
    """
    found: list[str] = []
    for path in paths:
        if path.lower().endswith(".txt") and os.path.isfile(path):  # noqa: PTH113 - Path("") is a folder
            folder = os.path.dirname(path)  # noqa: PTH120
            lines = Path(path).read_bytes().decode("utf-8-sig", errors="surrogateescape").splitlines()
            named = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
            found += [_absolute(line if "://" in line else os.path.join(folder, line)) for line in named]  # noqa: PTH118
        else:
            found.append(_absolute(path))
    return tuple(dict.fromkeys(found))


def _absolute(path: str) -> str:
    return path if "://" in path else os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps ".."
