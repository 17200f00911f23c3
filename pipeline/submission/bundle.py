"""Pack a batch for a cluster: its job name, files and runtime environment. Ray is not needed for this.

A job reads its input from files in its working directory, not from its command: a command has a maximum length, and
everybody who may list jobs can read it. The same holds for environment variables: Ray lists the variables of a runtime
environment and writes them to its logs, but does neither with files.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.bundled import PACKAGES_FOLDER
from pipeline.errors import ExecutionError
from pipeline.fingerprints import fingerprint
from pipeline.sources import Listed
from pipeline.types import Source
from pipeline.uris import public_name

__all__ = ["JOB_PREFIX", "JobBatch", "job_requirements"]

JOB_PREFIX = "momentseek-"
_CODE = ("pipeline", "jobs")
# Ray kills a job three seconds after a stop request; writing finished videos and closing the index takes longer.
_STOP_SECONDS = 30
# Ray's dashboard rejects requests above 100 MiB, and Ray packs a folder without compressing it.
_MAX_BYTES = 99 * 2**20
_OF_INDEX = re.compile(r"\s*(;|\band)\s*extra == ['\"]index['\"]$")


@dataclass(frozen=True, kw_only=True)
class JobBatch:
    """The sources and the configuration of one job.

    Attributes:
        config_yaml: The whole configuration; its paths are the cluster's.
        identity: The part of the configuration that identifies the batch, as JSON values.
        library: Folder or URL of the library; `public_library` is free of credentials.
        sources: The sources as the user gave them, converted by `read_listings`.
        version: Version of momentseek.
        requirements: Packages that the job needs, as pip requirements.
        installs: Whether Ray installs them for the job; otherwise the cluster must have them.
        environment: Environment variables for the job and its workers, which may be secret.
        model: Model files that are sent, by their names in the working directory.
        labels: Contents or paths of the label files that are sent, by their names in the working directory.
        needed: Files, and packages of plugins, that must exist on the cluster.
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
    labels: Mapping[str, bytes | Path] = field(default_factory=dict, repr=False)
    needed: tuple[str, ...] = ()

    @property
    def base_id(self) -> str:
        """The job's id: always the same for the same batch, whatever the order of its sources.

        Entries of a list or a manifest count as if they had been named themselves.
        """
        identities = {_identity(source) for source in self._named()}
        return f"{JOB_PREFIX}{fingerprint(self.identity, json.dumps(sorted(identities)))}"

    @property
    def named(self) -> int:
        """Number of sources that are named; those in lists and manifests are counted singly."""
        return sum(1 for _ in self._named())

    def names(self) -> Iterator[str]:
        """Yield the names of all sources, including those in lists and manifests."""
        return (source.uri for source in self._named())

    def _named(self) -> Iterator[Source]:
        for source in self.sources:
            if isinstance(source, str):
                yield Source(source)
            else:
                yield from source.sources

    @property
    def public_library(self) -> str:
        """Folder or URL of the library, without credentials."""
        return public_name(self.library)

    @property
    def entrypoint(self) -> str:
        """The command that the cluster runs."""
        return "python -m jobs.index_videos --batch ."

    @property
    def metadata(self) -> dict[str, str]:
        """The information that `momentseek jobs` shows; everybody who may list jobs can read it."""
        return {"momentseek": self.version, "library": self.public_library, "sources": str(self.named)}

    def files(self) -> dict[str, bytes]:
        """Return the generated files of the job's working directory by name, without copied files."""
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
        batch = {"momentseek": self.version, "requirements": list(self.requirements), "sources": sources}
        files = {
            "config.yaml": self.config_yaml.encode(),
            "batch.json": json.dumps(batch, indent=1).encode(),
            **files,
            **{name: content for name, content in self.labels.items() if isinstance(content, bytes)},
        }
        if self.environment:
            files["environment.json"] = json.dumps(dict(self.environment)).encode()
        return files

    def sizes(self) -> dict[str, int]:
        """Return the sizes in bytes of the files of the job's working directory by name, including copied ones.

        Raises:
            OSError: A file to be copied no longer exists.
        """
        copied = {name: path.stat().st_size for name, path in self._copied().items()}
        return {**{name: len(content) for name, content in self.files().items()}, **copied}

    def _copied(self) -> dict[str, Path]:
        """Return the files that are copied from this machine, by their names in the working directory."""
        return {**self.model, **{name: path for name, path in self.labels.items() if isinstance(path, Path)}}

    def write(self, folder: Path) -> None:
        """Write the files of the job's working directory, including copied ones, readable by their owner alone.

        Raises:
            ExecutionError: They exceed Ray's limit, or a file to be copied no longer exists.
        """
        try:
            sizes = self.sizes()
            if sum(sizes.values()) > _MAX_BYTES:
                raise ExecutionError(_too_large(sizes))
            for name, content in self.files().items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch(mode=0o600)
                path.write_bytes(content)
            for name, path in self._copied().items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, folder / name)
        except OSError as error:
            raise ExecutionError(f"the batch's files cannot be collected: {error}") from error

    def runtime_env(self, folder: str) -> dict[str, Any]:
        """Return Ray's runtime environment: the code, the batch's files, and packages if Ray is to install them.

        The code is that of this process, so a job runs the version that submitted it.

        Args:
            folder: The folder that `write` wrote to.
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


def job_requirements(requirements: Iterable[str]) -> tuple[str, ...]:
    """Select the requirements of a batch: those of the base installation and of the extra `index`.

    Args:
        requirements: The requirements in momentseek's metadata, as "av>=18.1; extra == 'index'".
    """
    own = (_OF_INDEX.sub("", text) for text in requirements)
    return tuple(text for text in own if "extra ==" not in text)


def _identity(source: Source) -> str:
    """A key that distinguishes sources: the name, and the metadata if there is any."""
    return json.dumps([source.uri, dict(source.metadata)], sort_keys=True) if source.metadata else source.uri


def _too_large(sizes: Mapping[str, int]) -> str:
    largest = max(sizes, key=lambda name: sizes[name])
    whole, part = (f"{size / 2**20:.0f} MiB" for size in (sum(sizes.values()), sizes[largest]))
    if largest.startswith("sources-"):
        remedy = (
            "submit the manifest in parts, or put it where the cluster can read it, and give its URI (s3://...) or a"
            " path that does not exist on this machine"
        )
    else:
        remedy = "use a smaller model, or fewer or shorter examples of labels"
    return (
        f"the batch's files are {whole} in size ({largest}: {part}), but Ray's Jobs API accepts less than 100 MiB:"
        f" {remedy}"
    )
