"""A library whose answers are known beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipeline.errors import QueryError
from pipeline.evaluate import LabelledQuery
from pipeline.index import MemoryIndex
from pipeline.testing.index import row, unit
from pipeline.types import Moment

Window = tuple[float, float]
INDEXED = ("park1", "park2")


class FixedLibrary:
    """Answers every question with the same moments of each video that is asked about, or with those of its text."""

    def __init__(
        self, *windows: Window, of_text: Mapping[str, Sequence[Window]] | None = None, indexed: Sequence[str] = INDEXED
    ) -> None:
        self.windows = windows
        self.of_text = of_text or {}
        self.indexed = indexed
        self.asked: list[tuple[str, int | None, tuple[str, ...]]] = []

    def search(
        self, question: str, *, top: int | None = None, videos: Iterable[str] = (), min_score: float | None = None
    ) -> list[Moment]:
        names = tuple(videos)
        assert min_score == 0, "the whole ranking is scored"
        self.asked.append((question, top, names))
        return [
            Moment(video_id=name, uri=f"{name}.mp4", start_seconds=a, end_seconds=b, best_seconds=a, score=1 - n / 10)
            for name in names or self.indexed
            for n, (a, b) in enumerate(self.of_text.get(question, self.windows))
        ]

    def moment_index(self) -> MemoryIndex:
        index = MemoryIndex()
        index.upsert([row(video, 0, unit(1)) for video in self.indexed])
        return index

    def find(self, *names: str) -> tuple[str, ...]:
        if any(not name.startswith("park") for name in names):
            raise QueryError(f"no video {names[0]!r}")
        return ("park1", "park2") if names == ("park",) else names


QUERIES = [LabelledQuery(1, "a dog", "park1", ((0, 4),)), LabelledQuery("b", "a cat", "park2", ((2, 4), (8, 9)))]
ABSENT = LabelledQuery(3, "a lion", "park1", ())
