"""Films as they are drawn and encoded: size, times, joins, and the same again from the same script."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipeline.video import Decoding, make_decoder
from sample_videos.films import Film, Join, JoinKind, write_scripts

pytest.importorskip("skia", reason="skia-python is not installed", exc_type=ImportError)
from sample_videos.filming import film_frame, write_film

pytestmark = pytest.mark.world


@pytest.fixture
def short_film() -> Film:
    """Two seconds of a film of two shots, a second each, joined by a cut."""
    film = next(write_scripts())
    first, second = film.shots[:2]
    shots = (first, replace(second, start_seconds=1.0, join=Join(JoinKind.CUT)))
    return replace(film, shots=shots, duration_seconds=2.0, rate=Fraction(10))


def with_join(film: Film, join: Join) -> Film:
    return replace(film, shots=(film.shots[0], replace(film.shots[1], join=join)))


def test_write_film_holds_what_was_drawn(short_film: Film, tmp_path: Path) -> None:
    path = write_film(short_film, tmp_path)
    with make_decoder(Decoding()).open(str(path)) as stream:
        pictures = {frame.time: frame.rgb() for frame in stream.frames()}
    assert list(pictures) == short_film.frame_times()
    for time, picture in pictures.items():
        drawn = film_frame(short_film, float(time))
        assert np.abs(picture.astype(np.int16) - drawn).mean() < 8
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


def test_film_frame_is_the_same_again(short_film: Film) -> None:
    assert np.array_equal(film_frame(short_film, 0.5), film_frame(short_film, 0.5))


def test_film_frame_fades_through_black(short_film: Film) -> None:
    faded = with_join(short_film, Join(JoinKind.FADE, 0.8))
    assert film_frame(faded, 1.0).max() == 0
    assert film_frame(faded, 0.5).max() > 100


def test_film_frame_mixes_both_shots_in_a_dissolve(short_film: Film) -> None:
    mixed = film_frame(with_join(short_film, Join(JoinKind.DISSOLVE, 0.8)), 1.0).astype(np.int16)
    before, behind = film_frame(short_film, 0.999).astype(np.int16), film_frame(short_film, 1.0).astype(np.int16)
    assert np.abs(mixed - (before + behind) / 2).mean() < 6


def test_write_film_leaves_nothing_where_it_fails(short_film: Film, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no_such_codec"):
        write_film(replace(short_film, codec="no_such_codec"), tmp_path)
    assert not list(tmp_path.iterdir())
