"""Settings of the analyses that run while videos are indexed."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from pipeline.config import Settings

__all__ = ["Analysis", "lasting_name"]


class Analysis(Settings):
    """Analyses of each video after it is indexed."""

    labels: str | None = Field(default=None, min_length=1)
    """Label file that videos are labelled with as they are indexed: its path, or the name of one that comes with
    momentseek, as "vehicles". None for no labels; `momentseek label` labels afterwards, too."""


def lasting_name(labels: str) -> str:
    """Make the path of a label file absolute; the name of a bundled one stays."""
    path = Path(labels).expanduser()
    return str(path.resolve()) if path.is_file() else labels
