"""Contract suite of encoders (`pipeline.encode.Encoder`), with test pictures."""

from __future__ import annotations

import pickle
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pipeline.encode import Encoder, OpenEncoder


class ArrayFrame:
    """A frame of given pixels, scaled by PIL.

    Args:
        pixels: uint8 (height, width, 3) RGB.
        pts: Its number, at 25 frames per second.
    """

    def __init__(self, pixels: npt.NDArray[np.uint8], pts: int = 0) -> None:
        self._image = Image.fromarray(pixels)
        self.pts = pts
        self.time = Fraction(pts, 25)
        self.duration: Fraction | None = None
        self.is_keyframe = True
        self.width, self.height = self._image.size

    def rgb(self, width: int | None = None, height: int | None = None) -> npt.NDArray[np.uint8]:
        """Return the pixels, scaled if a size is given: uint8 (height, width, 3)."""
        if width is None or height is None:
            return np.asarray(self._image)
        return np.asarray(self._image.resize((width, height), Image.Resampling.BICUBIC))

    def thumbnail(self) -> npt.NDArray[np.uint8]:
        """Return 64 x 36 points: uint8 (3, 36, 64)."""
        return np.ascontiguousarray(self.rgb(64, 36).transpose(2, 0, 1))


def drawn_picture(width: int = 320, height: int = 180, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Draw boxes on smooth colours: uint8 (height, width, 3) RGB, a different picture for each seed."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 8, 3), dtype=np.uint8))
    picture = np.array(coarse.resize((width, height), Image.Resampling.BICUBIC))
    for _ in range(6):
        left, top = rng.integers(0, max(1, width - 8)), rng.integers(0, max(1, height - 8))
        picture[top : top + height // 5, left : left + width // 6] = rng.integers(0, 256, 3)
    return picture


class EncoderContract:
    """Tests that every encoder must pass.

    The fixture `encoder` is required. `model` (the opened encoder) is optional; override it to open the encoder once
    for several tests. Override `images` if the drawn pictures are unsuitable: uint8 (5, image_height, image_width, 3),
    no two of them equal.
    """

    @pytest.fixture
    def encoder(self) -> Encoder:
        """Return the encoder, not opened. Required."""
        raise NotImplementedError("give the fixture `encoder`, which returns the encoder to test")

    @pytest.fixture
    def model(self, encoder: Encoder) -> OpenEncoder:
        """Return the opened encoder. Optional."""
        return encoder.open()

    @pytest.fixture
    def images(self, encoder: Encoder) -> npt.NDArray[np.uint8]:
        """Return five pictures, preprocessed: uint8 (5, image_height, image_width, 3). Optional."""
        prepare = encoder.preprocessing()
        return np.stack([prepare(ArrayFrame(drawn_picture(seed=seed))) for seed in range(5)])

    def test_pickling_keeps_the_fingerprint(self, encoder: Encoder) -> None:
        copy = pickle.loads(pickle.dumps(encoder))
        assert copy.fingerprint == encoder.fingerprint
        assert copy.description == encoder.description

    def test_preprocessing_survives_pickling(self, encoder: Encoder) -> None:
        prepare = encoder.preprocessing()
        frame = ArrayFrame(drawn_picture())
        copy = pickle.loads(pickle.dumps(prepare))
        np.testing.assert_array_equal(copy(frame), prepare(frame))

    @pytest.mark.parametrize(("width", "height"), [(320, 180), (180, 320), (33, 17), (9, 400), (1, 1)])
    def test_preprocessing_gives_the_stated_shape(self, encoder: Encoder, width: int, height: int) -> None:
        prepare = encoder.preprocessing()
        pixels = prepare(ArrayFrame(drawn_picture(width, height)))
        assert pixels.dtype == np.uint8
        assert pixels.shape == (prepare.image_height, prepare.image_width, 3)
        assert pixels.flags.c_contiguous

    def test_images_become_unit_vectors(self, model: OpenEncoder, images: npt.NDArray[np.uint8]) -> None:
        _check_unit_vectors(model.encode_images(images), len(images), model.dimension)

    def test_texts_become_unit_vectors(self, model: OpenEncoder) -> None:
        _check_unit_vectors(model.encode_texts(["a red car", "person in hard hat", "a red car"]), 3, model.dimension)

    def test_no_images_and_no_texts_give_no_rows(self, model: OpenEncoder, images: npt.NDArray[np.uint8]) -> None:
        assert model.encode_images(images[:0]).shape == (0, model.dimension)
        assert model.encode_texts([]).shape == (0, model.dimension)

    def test_read_only_images_are_taken(self, model: OpenEncoder, images: npt.NDArray[np.uint8]) -> None:
        images.setflags(write=False)
        assert len(model.encode_images(images)) == len(images)

    def test_it_says_how_it_was_trained(self, model: OpenEncoder) -> None:
        assert model.logit_scale > 0
        assert model.logit_bias is None or (np.isfinite(model.logit_bias) and model.logit_bias != 0)

    def test_unknown_words_are_of_the_text_and_each_is_named_once(self, model: OpenEncoder) -> None:
        text = "Zyzzyva qwrtz a zyzzyva"
        words = model.unknown_words(text)
        assert all(word in text for word in words)
        assert len({word.casefold() for word in words}) == len(words)
        assert model.unknown_words(text) == words

    def test_texts_that_differ_in_unknown_words_alone_are_the_same(self, model: OpenEncoder) -> None:
        one, other = "a red car zyzzyva", "a red car qwrtz"
        vectors = model.encode_texts([one, other])
        is_same = bool(np.abs(vectors[0] - vectors[1]).max() < 1e-6)
        assert is_same == bool(model.unknown_words(one))

    def test_a_row_does_not_depend_on_its_neighbours(self, model: OpenEncoder, images: npt.NDArray[np.uint8]) -> None:
        together = model.encode_images(images)
        alone = np.concatenate([model.encode_images(images[row : row + 1]) for row in range(len(images))])
        assert np.sum(together * alone, axis=1).min() > 0.999
        texts = ["a red car", "two dogs run along a beach"]
        np.testing.assert_allclose(model.encode_texts(texts)[1], model.encode_texts(texts[1:])[0], atol=1e-3)

    def test_different_inputs_get_different_embeddings(self, model: OpenEncoder, images: npt.NDArray[np.uint8]) -> None:
        pictures = model.encode_images(images)
        texts = model.encode_texts(["a red car", "two dogs run along a beach"])
        assert np.abs(pictures[0] - pictures[1]).max() > 1e-3
        assert np.abs(texts[0] - texts[1]).max() > 1e-3

    def test_images_of_another_shape_are_refused(self, model: OpenEncoder, images: npt.NDArray[np.uint8]) -> None:
        with pytest.raises(ValueError, match="expected uint8 images"):
            model.encode_images(images[:, 1:])
        with pytest.raises(ValueError, match="expected uint8 images"):
            model.encode_images(images.astype(np.float32))


def _check_unit_vectors(vectors: npt.NDArray[np.float32], count: int, dimension: int) -> None:
    assert vectors.dtype == np.float32, "embeddings must be float32"
    assert vectors.shape == (count, dimension), "embeddings must be one row per input, `dimension` numbers each"
    np.testing.assert_allclose(
        np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5, err_msg="embeddings must have unit length"
    )
