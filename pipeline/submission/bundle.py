"""Packs a batch for a cluster: its job name, files and runtime environment. Ray is not needed for this.

What a job is told travels in files of its working directory, not in its command: a command has a greatest length, and
everybody who may list jobs reads it. So do the variables of its environment: Ray lists the variables of a runtime
environment and writes them to its logs, and does neither with files.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.bundled import PACKAGES_FOLDER
from pipeline.errors import ExecutionError
from pipeline.fingerprints import fingerprint
from pipeline.sources import Listed
from pipeline.types import Source
from pipeline.uris import public_name

__all__ = ["JOB_PREFIX", "JobBatch"]

JOB_PREFIX = "momentseek-"
_CODE = ("pipeline", "jobs")
# Ray kills a job three seconds after it asked it to end; writing what is finished and closing the index takes longer.
_STOP_SECONDS = 30
# Ray's dashboard takes no request above 100 MiB, and packs a folder without compressing it.
_MOST_BYTES = 99 * 2**20


@dataclass(frozen=True, kw_only=True)
class JobBatch:
    """The sources and the configuration of one job.

    Attributes:
        config_yaml: The whole configuration; its paths are the cluster's.
        identity: What of the configuration makes it this batch and no other, as JSON can hold it.
        library: Where the library is; `public_library` is what may be shown.
        sources: What the user named, as `read_listings` gives it.
        version: Of momentseek.
        requirements: Packages that the job needs, as pip writes them.
        installs: Whether Ray installs them for the job; otherwise the cluster must have them.
        environment: Variables for the job and its workers, secrets among them.
        model: Files of the model that go along, by their names in the working directory.
        needed: Files of the model, and packages of plugins, that the cluster must have.
    """

    config_yaml: str = field(repr=False)
    identity: Mapping[str, Any] = field(repr=False)
    library: str = field(repr=False)
    sources: tuple[str | Listed, ...] = field(repr=False)
    version: str
    requirements: tuple[str, ...] = ()
    installs: bool = False
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    model: Mapping[str, Path] = field(default_factory=dict)
    needed: tuple[str, ...] = ()

    @property
    def base_id(self) -> str:
        """The job's id: the same for the same batch, in whatever order its sources are named.

        What a list or a manifest names counts as if it had been named itself.
        """
        identities = {_identity(source) for source in self._named()}
        return f"{JOB_PREFIX}{fingerprint(self.identity, json.dumps(sorted(identities)))}"

    @property
    def named(self) -> int:
        """How many sources are named, lists and manifests counted by what is in them."""
        return sum(1 for _ in self._named())

    def names(self) -> Iterator[str]:
        """What is named, and what lists and manifests name."""
        return (source.uri for source in self._named())

    def _named(self) -> Iterator[Source]:
        for source in self.sources:
            if isinstance(source, str):
                yield Source(source)
            else:
                yield from source.sources

    @property
    def public_library(self) -> str:
        """Where the library is, without a URL's credentials."""
        return public_name(self.library)

    @property
    def entrypoint(self) -> str:
        """The command that the cluster runs."""
        return "python -m jobs.index_videos --batch ."

    @property
    def metadata(self) -> dict[str, str]:
        """What `momentseek jobs` shows of a job; everybody who may list jobs reads it."""
        return {"momentseek": self.version, "library": self.public_library, "sources": str(self.named)}

    def files(self) -> dict[str, bytes]:
        """The files of the job's working directory, by name; those of the model are left out."""
        files: dict[str, bytes] = {}
        sources: list[str | dict[str, str]] = []
        for source in self.sources:
            if isinstance(source, str):
                sources.append(source)
            else:
                suffix, content = source.as_file()
                name = f"sources-{len(files) + 1}{suffix}"
                files[name] = content
                sources.append({"file": name})
        told = {"momentseek": self.version, "requirements": list(self.requirements), "sources": sources}
        files = {"config.yaml": self.config_yaml.encode(), "batch.json": json.dumps(told, indent=1).encode(), **files}
        if self.environment:
            files["environment.json"] = json.dumps(dict(self.environment)).encode()
        return files

    def sizes(self) -> dict[str, int]:
        """Bytes of the files of the job's working directory, those of the model included, by name.

        Raises:
            OSError: A file of the model is gone.
        """
        model = {name: path.stat().st_size for name, path in self.model.items()}
        return {**{name: len(content) for name, content in self.files().items()}, **model}

    def write(self, folder: Path) -> None:
        """Write these files, readable by their owner alone, as they will be on the cluster, and the model's.

        Raises:
            ExecutionError: They are more than Ray takes; or a file of the model is gone.
        """
        try:
            sizes = self.sizes()
            if sum(sizes.values()) > _MOST_BYTES:
                raise ExecutionError(_too_large(sizes))
            for name, content in self.files().items():
                path = folder / name
                path.touch(mode=0o600)
                path.write_bytes(content)
            for name, path in self.model.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, folder / name)
        except OSError as error:
            raise ExecutionError(f"the batch's files cannot be put together: {error}") from error

    def runtime_env(self, folder: str) -> dict[str, Any]:
        """Ray's runtime environment: the code and the batch's files, and packages where Ray is to install them.

        The code is that of this process, so a job is of the version that submitted it.

        Args:
            folder: Where `write` wrote.
        """
        env: dict[str, Any] = {
            "working_dir": folder,
            "py_modules": [str(PACKAGES_FOLDER / name) for name in _CODE],
            "excludes": ["__pycache__/"],
            "env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(_STOP_SECONDS)},
        }
        if self.environment:
            env["worker_process_setup_hook"] = "jobs.environment.take_sent_variables"
        if self.installs:
            env["pip"] = {"packages": list(self.requirements), "pip_check": False}
        return env


def _identity(source: Source) -> str:
    """What makes this source this one: its name, and what is said of it."""
    return json.dumps([source.uri, dict(source.metadata)], sort_keys=True) if source.metadata else source.uri


def _too_large(sizes: Mapping[str, int]) -> str:
    largest = max(sizes, key=lambda name: sizes[name])
    whole, most = (f"{size / 2**20:.0f} MiB" for size in (sum(sizes.values()), sizes[largest]))
    return (
        f"the batch's files come to {whole} ({largest}: {most}), and Ray's Jobs API takes less than 100 MiB: submit the"
        " manifest in parts, or put it where the cluster reads it, and name it by its URI (s3://...) or by a path that"
        " is not on this machine"
    )
