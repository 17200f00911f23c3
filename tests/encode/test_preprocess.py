from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.video.reformatter import Interpolation
from PIL import Image

from pipeline.encode import ClipPreprocessing, Encoding, OpenClipEncoder
from pipeline.encode.architecture import architecture_of
from pipeline.testing.encoder import ArrayFrame, drawn_picture

Models = Callable[..., Encoding]
OwnTransform = Callable[[str], Callable[[Image.Image], npt.NDArray[np.uint8]]]
NAMES = ["square", "oblong", "demo", "longest", "bilinear"]
SIZES = [(320, 180), (180, 320), (64, 64), (101, 57), (57, 101), (640, 361), (20, 13), (48, 333), (64, 35)]


class AvFrame(ArrayFrame):
    """A frame scaled by FFmpeg, as the decoders' are: chroma at full resolution, or embeddings drift (cosine 0.993)."""

    def __init__(self, frame: av.VideoFrame) -> None:
        self._flags = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
        self._frame = frame
        super().__init__(self._scaled(frame.width, frame.height))

    def rgb(self, width: int | None = None, height: int | None = None) -> npt.NDArray[np.uint8]:
        return self._scaled(width or self.width, height or self.height)

    def _scaled(self, width: int, height: int) -> npt.NDArray[np.uint8]:
        scaled = self._frame.reformat(width=width, height=height, format="rgb24", interpolation=self._flags)
        return scaled.to_ndarray()


def _footage_frames(path: Path) -> Iterator[AvFrame]:
    with av.open(str(path)) as container:
        yield from map(AvFrame, islice(container.decode(video=0), 0, 60, 29))


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_pixels_equal_open_clips_own(
    models: Models, own_transform: OwnTransform, name: str, width: int, height: int
) -> None:
    frame = ArrayFrame(drawn_picture(width, height))
    expected = own_transform(name)(Image.fromarray(frame.rgb()))
    np.testing.assert_array_equal(OpenClipEncoder(models(name)).preprocessing()(frame), expected)


@pytest.mark.footage
@pytest.mark.parametrize("name", NAMES)
def test_real_frames_embed_like_open_clips_own(
    models: Models, own_transform: OwnTransform, footage: Path, name: str
) -> None:
    encoder = OpenClipEncoder(models(name, precision="fp32"))
    prepare, reference = encoder.preprocessing(), own_transform(name)
    videos = ["asl-book.mkv", "car-detection.mp4", "big_buck_bunny.webm", "store-aisle-detection.gif"]
    frames = [frame for video in videos for frame in _footage_frames(footage / video)]
    ours = np.stack([prepare(frame) for frame in frames])
    theirs = np.stack([reference(Image.fromarray(frame.rgb())) for frame in frames])
    model = encoder.open()
    assert np.sum(model.encode_images(ours) * model.encode_images(theirs), axis=1).min() > 0.999
    # A model of random weights tells pictures apart badly, so the pixels themselves are held to one level of 255.
    assert np.abs(ours.astype(np.float32) - theirs).mean(axis=(1, 2, 3)).max() < 1.0


def test_preprocessing_of_a_tag_is_the_tags() -> None:
    architecture = architecture_of(Encoding(model="ViT-B-16-SigLIP", pretrained="webli"))
    assert architecture.preprocessing == ClipPreprocessing(image_height=224, image_width=224, resize_mode="squash")
    assert architecture.mean == (0.5, 0.5, 0.5)
    bilinear = architecture_of(Encoding(model="ViT-L-14-CLIPA", pretrained="datacomp1b")).preprocessing
    assert bilinear.interpolation == "bilinear"


def test_default_preprocessing_is_openais() -> None:
    from open_clip.transform import PreprocessCfg

    architecture = architecture_of(Encoding())
    default = PreprocessCfg()
    assert (architecture.mean, architecture.std) == (default.mean, default.std)
    assert architecture.preprocessing == ClipPreprocessing(
        image_height=224, image_width=224, resize_mode=default.resize_mode, interpolation=default.interpolation
    )


def test_the_frame_scales_and_no_full_picture_is_made() -> None:
    asked = []

    class Watched(ArrayFrame):
        def rgb(self, width: int | None = None, height: int | None = None) -> npt.NDArray[np.uint8]:
            asked.append((width, height))
            return super().rgb(width, height)

    ClipPreprocessing(image_height=224, image_width=224)(Watched(drawn_picture(1280, 720)))
    assert asked == [(398, 224)]


def test_an_impossible_preprocessing_is_refused() -> None:
    with pytest.raises(ValueError, match="positive, got 0 x 224"):
        ClipPreprocessing(image_height=224, image_width=0)
    with pytest.raises(ValueError, match="bicubic or bilinear, got 'nearest'"):
        ClipPreprocessing(image_height=1, image_width=1, interpolation="nearest")
