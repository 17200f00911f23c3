"""Expand a batch's files, folders, patterns, lists and manifests to a list of videos."""

from __future__ import annotations

from pipeline.sources.expansion import Listed, expand, read_listings
from pipeline.sources.manifests import scalar_of

__all__ = ["Listed", "expand", "read_listings", "scalar_of"]
