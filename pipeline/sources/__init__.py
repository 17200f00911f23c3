"""From the names that a caller gives to the list of videos: folders, patterns and manifests."""

from __future__ import annotations

from pipeline.sources.expansion import Listed, expand, read_listings
from pipeline.sources.manifests import scalar_of

__all__ = ["Listed", "expand", "read_listings", "scalar_of"]
