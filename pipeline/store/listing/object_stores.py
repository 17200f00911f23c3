"""What object stores need beyond fsspec's common interface to list and read many files quickly."""

from __future__ import annotations

from typing import Any

import fsspec.config
from fsspec import AbstractFileSystem

__all__ = ["entries_in", "storage_options"]

_CONNECTIONS = 32


def storage_options(url: str) -> dict[str, Any]:
    """Return the options for opening the file system of a URL.

    An S3 server is allowed more connections than its package's 10, unless the user has configured that.
    """
    scheme = url.partition("://")[0]
    if scheme not in ("s3", "s3a") or "config_kwargs" in fsspec.config.conf.get(scheme, {}):
        return {}
    return {"config_kwargs": {"max_pool_connections": _CONNECTIONS}}


def entries_in(files: AbstractFileSystem, root: str, folder: str) -> list[str]:
    """List the names of the files and folders in a folder, as they are now.

    Args:
        files: The file system.
        root: Path of a folder above.
        folder: The folder, relative to `root`; empty for `root` itself.

    Raises:
        OSError: They cannot be listed; FileNotFoundError, in some file systems, if there are none.
    """
    path = f"{root}/{folder}".rstrip("/")
    files.invalidate_cache(path)
    if folder and "s3" in files.protocol:
        # If the folder is empty, `ls` would also list all of the folder above.
        found = files.find(root, maxdepth=1, withdirs=True, prefix=f"{folder}/")
    else:
        found = files.ls(path, detail=False)
    return [str(entry).rstrip("/").rpartition("/")[2] for entry in found]
