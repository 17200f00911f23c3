"""Check that a cluster's Python has the required packages; only the standard library and Ray are imported."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version

__all__ = ["missing", "python_here"]


def missing(requirements: Iterable[str]) -> Iterator[str]:
    """A sentence for each requirement that is not met here, as "av: not installed, and >=18.1 is needed"."""
    from packaging.requirements import Requirement

    for text in requirements:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            yield f"{wanted.name}: not installed, and {wanted.specifier or 'any version'} is needed"
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            yield f"{wanted.name}: {found} is installed, and {wanted.specifier} is needed"


def python_here() -> str:
    """Describe this Python interpreter for messages."""
    return f"Python {sys.version_info.major}.{sys.version_info.minor} at {sys.executable}"
