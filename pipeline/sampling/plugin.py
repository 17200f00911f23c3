"""Loads samplers from other packages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, ClassVar

from pydantic import Discriminator, Field

from pipeline.config import PLUGIN_TAG, Settings
from pipeline.plugins import Plugin, Seam, entry_point_names, missing_members
from pipeline.sampling.protocol import SamplingPass
from pipeline.sampling.shots.detector import CutDetection
from pipeline.types import Grid, Skip, VideoInfo

__all__ = ["SAMPLERS", "PluginSampler", "by_strategy"]

_BUILT_IN = ("fixed_rate", "keyframe", "scene_change", "novelty", "composite")
_PASS_MEMBERS = ("feed", "finish", "held_since", "cuts", "seen_until", "step")
_EXAMPLE = VideoInfo(
    uri="example.mp4",
    container="mov,mp4",
    codec="h264",
    width=64,
    height=36,
    rotation_degrees=0,
    time_base=Fraction(1, 12800),
    start_time=Fraction(0),
    average_rate=Fraction(25),
    duration_seconds=10.0,
)


def _faults(sampler: Any) -> Iterator[str]:
    """Yield the faults of a sampler that has all members."""
    if sampler.skip not in tuple(Skip):
        yield f"`skip` is {sampler.skip!r}, not one of Skip.{', Skip.'.join(skip.name for skip in Skip)}"
    if sampler.grid is not None and not isinstance(sampler.grid, Grid):
        yield f"`grid` is a {type(sampler.grid).__name__}, not a Grid or None"
    searches = sampler.cut_searches
    if not isinstance(searches, tuple) or not all(isinstance(search, CutDetection) for search in searches):
        yield f"`cut_searches` is {searches!r}, not a tuple of CutDetection"
    if not isinstance(sampler.finds_cuts, bool):
        yield f"`finds_cuts` is {sampler.finds_cuts!r}, not a bool"
    missing = missing_members(sampler.begin(_EXAMPLE), _PASS_MEMBERS)
    if missing:
        yield f"the pass that `begin` returns lacks {', '.join(missing)}"


SAMPLERS = Seam(
    kind="sampler",
    section="sampling",
    field="strategy",
    group="momentseek.samplers",
    members=("skip", "grid", "cut_searches", "finds_cuts", "begin"),
    check=_faults,
    requires_field=True,
)


class PluginSampler(Plugin):
    """A `FrameSampler` from another package; its own settings are given beside `strategy`."""

    seam: ClassVar[Seam] = SAMPLERS

    # For editors: what is a strategy of momentseek is no plugin.
    strategy: str = Field(json_schema_extra={"not": {"enum": list(_BUILT_IN)}})
    """Import path of the class, as "my_package:MySampler", or name of an entry point."""

    @property
    def reference(self) -> str:
        """The import path or entry point that names the class."""
        return self.strategy

    @property
    def skip(self) -> Skip:
        """Frames that the decoder may leave out."""
        skip: Skip = self.loaded().skip
        return skip

    @property
    def grid(self) -> Grid | None:
        """The points at which frames are needed; None if any frame may be needed."""
        grid: Grid | None = self.loaded().grid
        return grid

    @property
    def cut_searches(self) -> tuple[CutDetection, ...]:
        """Cut searches to run in addition to sampling."""
        searches: tuple[CutDetection, ...] = self.loaded().cut_searches
        return searches

    @property
    def finds_cuts(self) -> bool:
        """Whether the cuts of a sampled video are known."""
        finds_cuts: bool = self.loaded().finds_cuts
        return finds_cuts

    def begin(self, info: VideoInfo) -> SamplingPass:
        """Begin a pass over one video."""
        begun: SamplingPass = self.loaded().begin(info)
        return begun


def by_strategy(*built_in: type[Settings]) -> Discriminator:
    """Make a function that distinguishes the settings of samplers by `strategy`, without importing anything.

    Import paths, names of installed entry points, and objects of other classes count as plugins.

    Args:
        built_in: The strategies of momentseek itself.
    """
    names = {cls.model_fields["strategy"].default for cls in built_in}

    def strategy(value: object) -> str | None:
        if isinstance(value, Settings):
            return str(getattr(value, "strategy", None)) if type(value) in built_in else PLUGIN_TAG
        name = value.get("strategy") if isinstance(value, Mapping) else None
        if not isinstance(name, str):
            return None
        is_plugin = name not in names and (":" in name or name in entry_point_names(SAMPLERS.group))
        return PLUGIN_TAG if is_plugin else name

    return Discriminator(strategy)
