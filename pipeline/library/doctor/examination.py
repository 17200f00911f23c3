"""The checks of `momentseek doctor`: what works on this machine, what does not, and how to fix it."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.errors import MissingPackageError, MomentseekError, UntrustedLibraryError
from pipeline.index import is_writable
from pipeline.index.capacity import MOVE_TO_SERVER
from pipeline.library import Library
from pipeline.library.doctor.finding import Finding
from pipeline.library.doctor.model_checks import check_model, check_processor, check_text_tower
from pipeline.library.file_permissions import loose_modes
from pipeline.library.identity import local_folder
from pipeline.library.trust import loose_mode, outside_settings, trusted_settings
from pipeline.optional_packages import require
from pipeline.render.text import counted
from pipeline.run_config import RunConfig
from pipeline.store.privacy import is_private, loose_files

__all__ = ["examine"]

_PACKAGES = ("pymilvus", "milvus-lite", "pyarrow", "numpy", "onnxruntime", "pillow")
_OPTIONAL_PACKAGES = {
    "index": ("torch", "torchvision", "open_clip_torch", "av", "ray"),
    "analysis": ("scikit-learn",),
}
_EXTRA_PURPOSES = {
    "index": "needed to index videos, to search by picture and to show or export frames",
    "analysis": "needed to fit concepts and to draw maps",
}
_GIB = 2**30
_MIN_SHARED_GIB, _MIN_DISK_GIB = 1.0, 2.0


def examine(config: RunConfig, refused: UntrustedLibraryError | None = None) -> Iterator[Finding]:
    """Run all checks in turn, without downloads and without leaving files behind; takes a minute at most.

    Args:
        config: The configuration to check.
        refused: Why the library's own configuration is not used; its model and index are then not checked.
    """
    checks: tuple[tuple[str, Callable[[RunConfig], Iterator[Finding]]], ...] = (
        ("python", _python),
        ("packages", _packages),
        ("processor", check_processor),
        ("decoder", _decoders),
        ("model", check_model),
        ("text tower", check_text_tower),
        ("library", _library),
        ("trust", _trust),
        ("private library", _private_library),
        ("ray", _ray),
        ("sample world", _sample_world),
        ("shared memory", _shared_memory),
        ("disk", _disk),
        ("privacy", _privacy),
    )
    if refused is not None:
        problem, _, remedy = str(refused).partition("; ")
        yield Finding("library", "broken", problem, remedy)
        checks = tuple((part, check) for part, check in checks if part not in ("model", "text tower", "library"))
    for part, check in checks:
        try:
            yield from check(config)
        except MissingPackageError as error:
            problem, _, remedy = str(error).partition("; ")
            yield Finding(part, "note", problem, remedy.removeprefix("run: "))
        except MomentseekError as error:
            problem, _, remedy = str(error).partition("\n")
            yield Finding(part, "broken", problem, " ".join(remedy.split()))
        except Exception as error:  # noqa: BLE001 - a check reports whatever goes wrong
            yield Finding(part, "broken", f"{type(error).__name__}: {error}", "reinstall the packages")


def _python(_config: RunConfig) -> Iterator[Finding]:
    python = f"{platform.python_version()} in {sys.prefix}; momentseek {version('momentseek')}"
    yield Finding("python", "ok", python)


def _packages(_config: RunConfig) -> Iterator[Finding]:
    found, missing = _versions(_PACKAGES)
    optional = {extra: _versions(names) for extra, names in _OPTIONAL_PACKAGES.items()}
    yield Finding("packages", "ok", ", ".join([*found, *(one for found, _ in optional.values() for one in found)]))
    if missing:
        yield Finding("packages", "broken", f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}")
    for extra, (_, absent) in optional.items():
        if absent:
            finding = f"not installed: {', '.join(absent)}; {_EXTRA_PURPOSES[extra]}"
            yield Finding("packages", "note", finding, f"pip install 'momentseek[{extra}]'")


def _versions(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the installed packages with their versions, and the missing ones."""
    found, missing = [], []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    return found, missing


def _decoders(config: RunConfig) -> Iterator[Finding]:
    from pipeline.video import Decoding, make_decoder

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "check.mp4"))
        _write_check_video(path)
        for backend in ("pyav", "decord", "opencv"):
            is_selected = backend == config.decoding.backend
            try:
                with make_decoder(Decoding(backend=backend)).open(path) as stream:
                    frames = sum(1 for _ in stream.frames())
            except Exception as error:  # noqa: BLE001 - a decoder's library may fail in any way
                problem = f"{type(error).__name__}: {error}"
                if is_selected:
                    yield Finding(f"decoder {backend}", "broken", problem, "set decoding.backend to another one")
                else:
                    yield Finding(f"decoder {backend}", "note", problem, "only needed if decoding.backend names it")
            else:
                used = "; the configured one" if is_selected else ""
                yield Finding(f"decoder {backend}", "ok", f"decoded {frames} of 10 frames of a test video{used}")


def _write_check_video(path: str) -> None:
    require("decoding videos", "av")
    import av
    import numpy as np

    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for grey in range(0, 200, 20):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), grey, np.uint8), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def _library(config: RunConfig) -> Iterator[Finding]:
    if "://" in config.library or Path(config.library).is_dir():
        with Library.open(config) as library:
            rows = library.moment_index().count()
            yield Finding(
                "library",
                "ok",
                f"{config.library}: {counted(len(library.videos()), 'video')}, {counted(rows, 'segment')}",
            )
            if (too_large := library.outgrown_index()) is not None:
                yield Finding("index", "note", too_large, MOVE_TO_SERVER)
        return
    if config.index.uri is not None:
        with Library.open(config) as library:
            yield Finding(
                "library", "ok", f"index at {config.index.uri}: {counted(library.moment_index().count(), 'segment')}"
            )
        return
    with tempfile.TemporaryDirectory() as folder:
        elsewhere = config.model_copy(update={"library": folder})
        with Library.open(elsewhere) as library:
            library.moment_index().count()
    yield Finding(
        "library", "ok", f"{config.library} does not exist yet; an index could be opened in a temporary folder"
    )


def _trust(config: RunConfig) -> Iterator[Finding]:
    problem = loose_mode()
    if problem is not None:
        finding, _, remedy = problem.partition("; ")
        yield Finding("trust", "broken", f"no library is trusted: {finding}", remedy)
        return
    names = outside_settings(config)
    reach = f"{config.library} refers outside itself by {', '.join(names)}; " if names else ""
    count = sum(1 for _ in trusted_settings())
    yield Finding("trust", "ok", f"{reach}{counted(count, 'set')} of settings trusted (momentseek trust --list)")


def _private_library(config: RunConfig) -> Iterator[Finding]:
    """Check that only the owner can read a private library."""
    folder = local_folder(config.library)
    if folder is None or not is_private(folder):
        return
    loose = list(loose_files(folder))
    if loose:
        count = counted(len(loose), "file or folder", "files and folders")
        finding = f"{count} can be read by others, for example {loose[0]!r}"
        yield Finding("private library", "note", finding, f"chmod -R go= {folder}")
    else:
        yield Finding("private library", "ok", f"only the owner can read {config.library}")


def _ray(config: RunConfig) -> Iterator[Finding]:
    from pipeline.execution.ray.cluster import check_reachable

    if config.execution.executor == "in_process":
        yield Finding("ray", "ok", "not used: execution.executor is in_process")
        return
    address = config.execution.address or os.environ.get("RAY_ADDRESS")
    if address:
        check_reachable(address)
        yield Finding("ray", "ok", f"a server answers at {address}")
    else:
        require("execution.executor: ray", "ray")
        importlib.import_module("ray")
        each = "each batch" if config.execution.executor == "ray" else "each batch that it finishes sooner"
        yield Finding("ray", "ok", f"ray {version('ray')} will be started on this machine for {each}")


def _sample_world(_config: RunConfig) -> Iterator[Finding]:
    remedy = "only needed to draw films: pip install 'momentseek[world]'; apt-get install libgl1 libegl1"
    try:
        importlib.import_module("skia")
    except ImportError as error:
        yield Finding("sample world", "note", f"skia cannot be imported: {error}", remedy)
    else:
        yield Finding("sample world", "ok", f"skia {version('skia-python')}")


def _shared_memory(config: RunConfig) -> Iterator[Finding]:
    if config.execution.executor == "in_process" or not Path("/dev/shm").is_dir():  # noqa: S108 - Ray uses this folder
        return
    free = shutil.disk_usage("/dev/shm").free / _GIB  # noqa: S108
    if free < _MIN_SHARED_GIB:
        remedy = "Ray will pass frames through files on disk; in a container, start it with --shm-size=2g"
        yield Finding("shared memory", "note", f"{free:.1f} GiB free in /dev/shm", remedy)
    else:
        yield Finding("shared memory", "ok", f"{free:.1f} GiB free in /dev/shm")


def _disk(config: RunConfig) -> Iterator[Finding]:
    if "://" in config.library:
        return
    folder = Path(config.library).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / _GIB
    can_write = is_writable(folder)
    if not can_write and (folder / "library.yaml").exists():
        yield Finding("disk", "note", f"{folder} is read-only: it can be searched, but nothing can be added or removed")
    elif not can_write:
        yield Finding(
            "disk", "broken", f"{folder} cannot be written to", "choose another --library, or change its owner"
        )
    elif free < _MIN_DISK_GIB:
        yield Finding(
            "disk", "note", f"{free:.1f} GiB free at {folder}", "an hour of video takes about 10 MB: free some space"
        )
    else:
        yield Finding("disk", "ok", f"{free:.1f} GiB free at {folder}")


def _privacy(config: RunConfig) -> Iterator[Finding]:
    found = list(loose_modes(config.library))
    for loose in found:
        yield Finding("privacy", "note", loose.finding, loose.remedy)
    if not found:
        yield Finding(
            "privacy", "ok", "only this user can access Ray's token and folders, the configuration and the library"
        )
