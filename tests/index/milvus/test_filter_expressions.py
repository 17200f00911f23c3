"""Filters written as Milvus's expressions, and recovered from them."""

from __future__ import annotations

import random

import pytest

from pipeline.index import Filter, LabelFilter
from pipeline.index.milvus.filter_expressions import FIRST_SEGMENTS, expression_of, filter_in
from pipeline.testing.index import ODD_TEXTS


def _random_filter(rng: random.Random) -> Filter:
    texts = (*ODD_TEXTS, "a", " and ", '"] == 1 and metadata["x', "))", "@labels", "\x00\x1f", "video_id in [")

    def some(most: int) -> tuple[str, ...]:
        return tuple(rng.choices(texts, k=rng.randint(0, most)))

    values = (*texts, 0, -7, 2**62, 1.5, -1e300, 1e-7, True, False)
    metadata = {name: rng.choice(values) for name in some(3)}
    labels = LabelFilter(rng.choice(texts), some(3), some(3)) if rng.random() < 0.5 else None
    return Filter(some(4), metadata, labels)


def test_every_filter_is_recovered_from_its_expression() -> None:
    rng = random.Random(0)
    for _ in range(2000):
        where = _random_filter(rng)
        found = filter_in(expression_of(where))
        assert found == where
        # True equals 1, but is another literal.
        assert repr(found) == repr(where)


def test_no_filter_is_an_empty_expression() -> None:
    assert expression_of(Filter()) == ""
    assert filter_in("") == Filter()


@pytest.mark.parametrize(
    "expression",
    [
        FIRST_SEGMENTS,
        'key > "a"',
        'video_id in ["a"] or ordinal == 0',
        'video_id in ["a"] and ',
        'video_id in ["a"] and key > "a"',
        'video_id in ["a"',
        'video_id in ["a"] and video_id in ["a"]',
        'video_id in "ab"',
        "video_id in [1]x",
        "video_id in 5",
        'metadata["a"] == 1e5',
        'metadata["a"] != 1',
        'metadata["a"] == 1 and metadata["a"] == 1',
        'metadata["a"] == 1 and video_id in ["a"]',
        'not metadata["a"] == 1',
        'metadata[["a"]] == 1',
        '((not exists metadata["@labels"]) or (metadata["@labels"]["set"] != "s") or ())',
        '((not exists metadata["@labels"]) or (metadata["@labels"]["set"] != "s") or (ordinal >= 0)) or ordinal > 1',
        "[" * 100_000,
    ],
)
def test_other_expressions_are_not_taken_for_filters(expression: str) -> None:
    assert filter_in(expression) is None


def test_an_expression_of_changed_text_is_another_filter_or_none() -> None:
    rng = random.Random(1)
    for _ in range(2000):
        expression = expression_of(_random_filter(rng))
        place = rng.randrange(len(expression) + 1)
        changed = expression[:place] + rng.choice(['"', "]", " and ", "\\", "x", ""]) + expression[place + 1 :]
        found = filter_in(changed)
        assert found is None or expression_of(found) == changed
