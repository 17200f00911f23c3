"""A library of two made-up videos that is indexed without decoding anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from contracts.word_world import WordModel, video

from pipeline.index.rewrite import replace_rows
from pipeline.library import Library
from pipeline.types import Source, Status, VideoReport

__all__ = ["SHOWN", "ShotsExecutor", "filled", "opened"]

SHOWN = {"park.mp4": ("red", "green", "blue"), "gate.mp4": ("blue", "", "red green")}


class ShotsExecutor:
    """Indexes videos of `SHOWN` by their file names; others fail."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def run(self, sources: Iterable[Source]) -> Iterator[VideoReport]:
        for source in sources:
            name = Path(source.uri).name
            if name not in SHOWN:
                yield VideoReport(source=source, status=Status.FAILED, problem="no such file")
                continue
            record, frames = video(Path(name).stem, *SHOWN[name], metadata=dict(source.metadata))
            self._library.store.write(record, frames)
            rows = self._library.row_recipe.rows(frames, record.metadata)
            replace_rows(self._library.moment_index(), record.video_id, rows)
            yield VideoReport(source=source, status=Status.DONE, video_id=record.video_id, segments=len(rows))


def opened(folder: Path, *overrides: str, backend: str = "memory") -> Library:
    settings = (f"index.backend={backend}", "segmentation.strategy=shots", *overrides)
    return Library.open(str(folder), overrides=settings, encoder=WordModel())


def filled(folder: Path, *overrides: str, backend: str = "memory") -> Library:
    library = opened(folder, *overrides, backend=backend)
    list(library.index(SHOWN, executor=ShotsExecutor(library)))
    return library
