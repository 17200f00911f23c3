"""Files that come with momentseek: configurations, sample films and the demo model.

In a checkout, `configs/` and `sample_videos/` are beside the package. In an installed wheel, the configurations are in
the package, as `pipeline/configs/`, and `sample_videos/` is beside it. This module finds them in both cases.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["PACKAGES_FOLDER", "bundled_configs_folder", "is_bundled_config"]

PACKAGES_FOLDER = Path(__file__).resolve().parent.parent
"""The folder that holds the packages `pipeline`, `jobs` and `sample_videos`: a checkout, or site-packages. Paths that
bundled configurations name are relative to it."""

_INSTALLED = Path(__file__).resolve().parent / "configs"


def bundled_configs_folder() -> Path:
    """Return the folder of the configurations that come with momentseek.

    It does not exist if only the package was copied, as to the workers of a Ray cluster.
    """
    return _INSTALLED if _INSTALLED.is_dir() else PACKAGES_FOLDER / "configs"


def is_bundled_config(path: Path) -> bool:
    """Whether a file is one of the configurations that come with momentseek."""
    return path.resolve().is_relative_to(bundled_configs_folder())
