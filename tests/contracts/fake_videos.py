"""Videos that are a few words, and an encoder that looks at colours: executors are tested with these.

A fake video says what it does: `frames` at 2 a second, each of the grey level `grey`, of which `damaged` are lost at
the end; at frame `fail` the decoder raises, at frame `kill` the process dies, at frame `hang` it does no more. Each
frame takes `slow` seconds. At frame `wait` the process writes its id to the file `mark`, unless that is there, and
waits for its end. Its container says that its pictures are `width` wide; where it `fidgets`, no more once
`mark` is there. Each frame takes `eats` MiB of memory that are not given back. The id of the Ray node that opens it
is added to the file `nodes`. What is called "unreadable" can be identified and not opened.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.errors import (
    EncoderError,
    UnsupportedVideoError,
    VideoNotFoundError,
    VideoReadError,
    WeightsUnavailableError,
)
from pipeline.io.settings import Fetching
from pipeline.sampling import CutDetection
from pipeline.types import Frame, Grid, Skip, VideoInfo
from pipeline.types.packets import Span
from pipeline.video import IndexedVideos, VideoDecoder

HEAD = b"\0fake video\0"
RATE = Fraction(2)
SIDE = 8
KILLS_ENCODER, FAILS_ENCODER, BREAKS_DEVICE = 250, 251, 252


def write_video(path: Path, *, frames: int = 10, grey: int = 100, **others: object) -> Path:
    words = {"frames": frames, "grey": grey, **others}
    path.write_bytes(HEAD + " ".join(f"{name}={value}" for name, value in words.items()).encode())
    return path


@dataclass(frozen=True)
class FakeFrame:
    pts: int
    grey: int
    width: int = SIDE
    height: int = SIDE
    is_keyframe: bool = True

    @property
    def time(self) -> Fraction:
        return self.pts / RATE

    @property
    def duration(self) -> Fraction:
        return 1 / RATE

    def rgb(self, width: int | None = None, height: int | None = None) -> npt.NDArray[np.uint8]:
        return np.full((height or SIDE, width or SIDE, 3), self.grey, np.uint8)


class FakeStream:
    def __init__(self, path: str, words: dict[str, str]) -> None:
        self._path = path
        self._words = words
        self._given = 0
        self._eaten: list[bytes] = []
        self.damage: tuple[str, ...] = ()

    @property
    def info(self) -> VideoInfo:
        return VideoInfo(
            uri=self._path,
            container="fake",
            codec="fake",
            width=SIDE if self._fidgets() else int(self._words.get("width", SIDE)),
            height=SIDE,
            rotation_degrees=0,
            time_base=1 / RATE,
            start_time=Fraction(0),
            average_rate=RATE,
            duration_seconds=float(int(self._words["frames"]) / RATE),
        )

    @property
    def covered_seconds(self) -> float:
        return float(self._given / RATE)

    @property
    def end_time(self) -> Fraction:
        return self._given / RATE

    @property
    def frames_decoded(self) -> int:
        return self._given

    def frames(
        self,
        *,
        start: Fraction | None = None,
        end: Fraction | None = None,
        skip: Skip = Skip.NOTHING,
        grid: Grid | None = None,
    ) -> Iterator[Frame]:
        lost = int(self._words.get("damaged", 0))
        for pts in range(int(self._words["frames"]) - lost):
            if self._words.get("fail") == str(pts):
                raise RuntimeError("the fake decoder broke")
            if self._words.get("kill") == str(pts):
                os.kill(os.getpid(), signal.SIGKILL)
            if self._words.get("hang") == str(pts) or (self._words.get("wait") == str(pts) and self._marks()):
                time.sleep(3600)
            time.sleep(float(self._words.get("slow", 0)))
            self._eaten.append(b"\1" * (int(self._words.get("eats", 0)) * 2**20))
            self._given = pts + 1
            if (end is not None and pts / RATE >= end) or (start is not None and (pts + 1) / RATE <= start):
                continue
            yield FakeFrame(pts, int(self._words["grey"]))
        if lost:
            self.damage = (f"{lost} frames at the end are lost",)

    def _fidgets(self) -> bool:
        return "fidgets" in self._words and Path(self._words["mark"]).exists()

    def _marks(self) -> bool:
        mark = Path(self._words["mark"])
        if mark.exists():
            return False
        mark.write_text(f"{os.getpid()}\n")
        return True

    def packets(self) -> None:
        return None

    def frames_within(self, spans: Sequence[Span], *, skip: Skip = Skip.NOTHING) -> Iterator[Frame]:
        raise ValueError("a fake video has no packets")

    def close(self) -> None:
        pass

    def __enter__(self) -> FakeStream:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


@dataclass(frozen=True)
class FakeDecoder:
    name: str = "fake"

    def open(self, path: str) -> FakeStream:
        if not Path(path).is_file():
            raise VideoNotFoundError(path, "there is no such file")
        content = Path(path).read_bytes()
        if not content.startswith(HEAD):
            raise UnsupportedVideoError(path, "this is not a fake video")
        if "unreadable" in Path(path).name:
            raise VideoReadError(path, "its server is silent")
        words = dict(word.split("=") for word in content.removeprefix(HEAD).decode().split())
        if "nodes" in words:
            import ray

            with Path(words["nodes"]).open("a") as file:
                file.write(f"{ray.get_runtime_context().get_node_id()}\n")
        return FakeStream(path, words)


@dataclass(frozen=True)
class GrowingDecoder(FakeDecoder):
    """Its videos are still being written: each has changed once it is opened."""

    def open(self, path: str) -> FakeStream:
        with Path(path).open("ab") as file:
            file.write(b" ")
        return super().open(path)


class FakePass:
    cuts = None
    held_since = None
    seen_until = None
    step = None

    def feed(self, frame: Frame) -> Sequence[Frame]:
        return [frame]

    def finish(self) -> Sequence[Frame]:
        return []


@dataclass(frozen=True)
class EveryFrame:
    skip: Skip = Skip.NOTHING
    grid: Grid | None = None
    cut_searches: tuple[CutDetection, ...] = ()
    finds_cuts: bool = False

    def begin(self, info: VideoInfo) -> FakePass:
        return FakePass()


@dataclass(frozen=True)
class FakePreprocessing:
    image_height: int = SIDE
    image_width: int = SIDE

    def __call__(self, frame: Frame) -> npt.NDArray[np.uint8]:
        return frame.rgb()


class FakeModel:
    dimension = 4
    device = "cpu"
    precision = "fp32"
    logit_scale = 20.0
    logit_bias = None

    def __init__(self, encoder: FakeEncoder) -> None:
        self._log = encoder.log
        self._seconds_a_call = encoder.seconds_a_call
        self._most_images = encoder.most_images
        self._breaks_once = encoder.breaks_once
        self._is_broken = False

    def encode_images(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        time.sleep(self._seconds_a_call)
        greys = images[:, 0, 0, 0]
        if self._log:
            with Path(self._log).open("a") as file:
                file.write(f"{os.getpid()} {len(images)}\n")
        self._use_device(greys)
        if (greys == KILLS_ENCODER).any():
            os.kill(os.getpid(), signal.SIGKILL)
        if (greys == FAILS_ENCODER).any():
            raise EncoderError("an embedding without a direction")
        angles = greys.astype(np.float32) / 255
        return np.stack([np.cos(angles), np.sin(angles), 0 * angles, 0 * angles], axis=1)

    def _use_device(self, greys: npt.NDArray[np.uint8]) -> None:
        """Do as CUDA does: for want of memory the next call may succeed, after anything else none does."""
        if self._breaks_once is not None and not Path(self._breaks_once).exists():
            Path(self._breaks_once).touch()
            self._is_broken = True
        self._is_broken |= bool((greys == BREAKS_DEVICE).any())
        if self._is_broken:
            import torch

            raise torch.AcceleratorError("CUDA error: device-side assert triggered")
        if self._most_images is not None and len(greys) > self._most_images:
            import torch

            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    def encode_texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.eye(4, dtype=np.float32)[[0] * len(texts)]

    def unknown_words(self, text: str) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class FakeEncoder:
    """`log` names a file that gets a line a call: the process and the number of images.

    Its device has memory for `most_images` at once. It breaks at frames that are `BREAKS_DEVICE`, and at the first call
    where there is no file `breaks_once`, which it writes.
    """

    log: str | None = None
    has_weights: bool = True
    patience_seconds: float = 0.0
    seconds_a_call: float = 0.0
    most_images: int | None = None
    breaks_once: str | None = None
    fingerprint: str = "fake"
    description: str = "fake encoder"

    def preprocessing(self) -> FakePreprocessing:
        return FakePreprocessing()

    def open(self) -> FakeModel:
        time.sleep(self.patience_seconds)
        if not self.has_weights:
            raise WeightsUnavailableError("the fake weights are out of reach; set has_weights")
        return FakeModel(self)


class TrustedVideos(IndexedVideos):
    """Videos by ids that have nothing to do with their content.

    Args:
        places: By id, where a video is; a moment says it itself.
        decoder: Opens them.
    """

    def __init__(self, places: dict[str, str] | None = None, decoder: VideoDecoder | None = None) -> None:
        known = places or {}
        super().__init__(
            decoder or FakeDecoder(), Fetching(), lambda video_id: [known[video_id]] if video_id in known else []
        )

    def _check(self, place: str, video_id: str) -> None:
        self._identity(place)
