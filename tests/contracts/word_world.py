"""A little world for tests of search: three words, pictures that show them, and a model that knows both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pipeline.encode import Preprocessing
from pipeline.store import FrameSample
from pipeline.types import FrameEmbeddings, Status, VideoInfo, VideoRecord

WORDS = {"red": 0, "green": 1, "blue": 2}


class WordEncoder:
    """Knows three words, each an axis; two words are the direction between."""

    dimension = 4
    device = "cpu"
    precision = "fp32"
    logit_scale = 40.0
    logit_bias: float | None = None

    def encode_images(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        raise NotImplementedError

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.stack([shown(*(word for word in text.split() if word in WORDS)) for text in texts])

    def unknown_words(self, text: str) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class WordModel:
    """An encoder that opens as a `WordEncoder`."""

    fingerprint: str = "words1"
    description: str = "three words"

    def preprocessing(self) -> Preprocessing:
        raise NotImplementedError

    def open(self) -> WordEncoder:
        return WordEncoder()


class DictStore:
    """Keeps videos in a dict and counts what is read."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[VideoRecord, FrameEmbeddings]] = {}
        self.reads = 0

    def write(self, record: VideoRecord, frames: FrameEmbeddings) -> None:
        self.kept[record.video_id] = record, frames

    def read(self, video_id: str) -> FrameEmbeddings:
        self.reads += 1
        return self.kept[video_id][1]

    def record(self, video_id: str) -> VideoRecord | None:
        return self.kept[video_id][0] if video_id in self.kept else None

    def records(self) -> Iterator[VideoRecord]:
        return (self.kept[video_id][0] for video_id in sorted(self.kept))

    def frame_sample(self, rows: int) -> FrameSample:
        vectors = [frames.vectors for _, frames in self.kept.values()]
        return FrameSample(np.concatenate(vectors) if vectors else np.empty((0, 4), np.float32), tuple(self.kept), rows)

    def add_name(self, video_id: str, name: str) -> VideoRecord:
        raise NotImplementedError

    def take_name(self, video_id: str, name: str) -> tuple[str, ...]:
        raise NotImplementedError

    def delete(self, video_id: str) -> bool:
        return self.kept.pop(video_id, None) is not None


def shown(*words: str) -> npt.NDArray[np.float32]:
    """A picture of nothing in particular, in which these words show."""
    vector = np.asarray([0, 0, 0, 1.0])
    for word in words:
        vector[WORDS[word]] += 2
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def video(video_id: str, *shots: str, metadata: dict[str, str] | None = None) -> tuple[VideoRecord, FrameEmbeddings]:
    """Shots of four frames in two seconds, each showing its words."""
    vectors = np.stack([shown(*shot.split()) for shot in shots for _ in range(4)])
    count, end = len(vectors), 2.0 * len(shots)
    frames = FrameEmbeddings(
        video_id=video_id,
        pts=np.arange(count),
        time_base=Fraction(1, 2),
        times_seconds=np.arange(count) / 2,
        vectors=vectors,
        cuts_seconds=tuple(2.0 * n for n in range(1, len(shots))),
        duration_seconds=end,
    )
    info = VideoInfo(
        uri=f"/videos/{video_id}.mp4",
        container="mov,mp4",
        codec="h264",
        width=64,
        height=36,
        rotation_degrees=0,
        time_base=Fraction(1, 2),
        start_time=Fraction(0),
        average_rate=None,
        duration_seconds=end,
    )
    record = VideoRecord(
        video_id=video_id,
        names=(info.uri,),
        status=Status.DONE,
        info=info,
        duration_seconds=end,
        covered_seconds=end,
        frame_count=count,
        metadata=metadata or {},
    )
    return record, frames
