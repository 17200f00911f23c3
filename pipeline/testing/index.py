"""Contract suites of indexes (`pipeline.index.MomentIndex`), with test rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.errors import FingerprintMismatchError, MomentIndexError, QueryError
from pipeline.index import Filter, LabelFilter, MemoryIndex, MomentIndex
from pipeline.types import IndexedSegment, Scalar, Segment, SegmentLabels

DIMENSION = 16

ODD_TEXTS = (
    'a "quoted" word',
    "it's",
    "back\\slash",
    "line\nbreak",
    "tab\t",
    "100% {}",
    "straße 視頻 🎬",
    "' or 1 == 1",
    "",
)


def unit(*numbers: float) -> npt.NDArray[np.float32]:
    """Normalise numbers, padded with zeros, to a vector of unit length: float32 (DIMENSION,)."""
    vector = np.zeros(DIMENSION)
    vector[: len(numbers)] = numbers
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def row(
    video: str, ordinal: int, vector: npt.NDArray[np.float32], *, key: str | None = None, **metadata: Scalar
) -> IndexedSegment:
    """Make a row of the index with a segment of two seconds that starts at `2 * ordinal` seconds."""
    segment = Segment(video, 2.0 * ordinal, 2.0 * ordinal + 2, ordinal)
    return IndexedSegment(key or f"{video}-{ordinal}", segment, vector, metadata)


def labelled(row: IndexedSegment, *some: str, whole: tuple[str, ...] = (), label_set: str = "s1") -> IndexedSegment:
    """Add labels to a row: `some` overlap its segment, `whole` cover it."""
    return replace(row, labels=SegmentLabels(label_set, some, whole))


def random_rows(count: int, videos: int = 3, seed: int = 0) -> list[IndexedSegment]:
    """Make rows in random directions, assigned in turn to the videos v0, v1, ..."""
    rng = np.random.default_rng(seed)
    return [row(f"v{n % videos}", n, unit(*rng.normal(size=DIMENSION))) for n in range(count)]


class IndexContract:
    """Tests that every index must pass, with vectors of `DIMENSION` numbers.

    The fixture `open_it` is required: it returns a function without arguments that opens the index, which is empty at
    first and the same at each call. Override `index` if opening takes long; it must be empty at the start of each test.
    """

    @pytest.fixture
    def index(self, open_it: Callable[[], MomentIndex]) -> MomentIndex:
        """Return an empty index, opened. Optional."""
        return open_it()

    def test_an_empty_index_finds_nothing(self, index: MomentIndex) -> None:
        assert index.count() == 0
        assert index.keys_of("v0") == frozenset()
        assert index.delete_video("v0") == 0
        assert index.search(np.stack([unit(1), unit(0, 1)]), top=5) == [[], []]

    def test_search_finds_the_nearest_first_with_their_cosine(self, index: MomentIndex) -> None:
        index.upsert(
            [row("v0", 0, unit(1, 1)), row("v0", 1, unit(1)), row("v1", 0, unit(-1)), row("v1", 1, unit(0, 1))]
        )
        (hits,) = index.search(unit(1)[None], top=3)
        assert [hit.key for hit in hits] == ["v0-1", "v0-0", "v1-1"]
        assert [hit.score for hit in hits] == pytest.approx([1, 0.5**0.5, 0], abs=1e-5)
        assert hits[0].segment == Segment("v0", 2, 4, 1)

    def test_search_agrees_with_the_exact_index(self, index: MomentIndex) -> None:
        rows = random_rows(300)
        queries = np.stack([unit(*np.random.default_rng(99 + n).normal(size=DIMENSION)) for n in range(5)])
        index.upsert(rows)
        exact = MemoryIndex()
        exact.upsert(rows)
        for hits, expected in zip(index.search(queries, top=10), exact.search(queries, top=10), strict=True):
            assert [hit.key for hit in hits] == [hit.key for hit in expected]
            assert [hit.score for hit in hits] == pytest.approx([hit.score for hit in expected], abs=1e-5)

    def test_ties_are_settled_by_key(self, index: MomentIndex) -> None:
        index.upsert([row("v0", n, unit(1, 2), key=key) for n, key in enumerate("cabd")])
        (hits,) = index.search(unit(1)[None], top=10)
        assert [hit.key for hit in hits] == ["a", "b", "c", "d"]

    def test_many_ties_are_settled_by_key(self, index: MomentIndex) -> None:
        keys = [f"{n:03d}" for n in range(200)]
        index.upsert([row("v0", n, unit(1, 2) if n % 2 else unit(1), key=key) for n, key in enumerate(reversed(keys))])
        (hits,) = index.search(unit(1)[None], top=200)
        assert [hit.key for hit in hits] == keys[1::2] + keys[::2]

    def test_upsert_twice_changes_nothing(self, index: MomentIndex) -> None:
        rows = random_rows(20)
        index.upsert(rows)
        before = index.search(unit(1)[None], top=30)
        index.upsert(rows)
        assert index.count() == 20
        assert index.search(unit(1)[None], top=30) == before

    def test_upsert_replaces_a_row_by_its_key(self, index: MomentIndex) -> None:
        index.upsert([row("v0", 0, unit(1), site="old"), row("v0", 1, unit(0, 0, 1))])
        index.upsert([row("v0", 0, unit(0, 1), site="new")])
        (hits,) = index.search(unit(0, 1)[None], top=1)
        assert hits[0].key == "v0-0"
        assert hits[0].score == pytest.approx(1, abs=1e-5)
        assert index.search(unit(1)[None], top=5, where=Filter(metadata={"site": "old"})) == [[]]

    def test_upsert_of_nothing_is_nothing(self, index: MomentIndex) -> None:
        index.upsert([])
        assert index.count() == 0

    def test_many_rows_are_all_written(self, index: MomentIndex) -> None:
        index.upsert(random_rows(2500))
        assert index.count() == 2500
        assert len(index.keys_of("v0")) == 834

    def test_videos_are_counted_by_their_first_segments(self, index: MomentIndex) -> None:
        assert index.video_count() == 0
        index.upsert([row(f"v{video}", ordinal, unit(1, video)) for video in range(7) for ordinal in range(video + 1)])
        assert (index.video_count(), index.count()) == (7, 28)
        index.upsert([row("v3", 0, unit(0, 1))])
        index.delete_video("v6")
        assert (index.video_count(), index.count()) == (6, 21)

    def test_delete_removes_one_video_alone(self, index: MomentIndex) -> None:
        index.upsert(random_rows(30))
        assert index.delete_video("v1") == 10
        assert index.count() == 20
        assert index.keys_of("v1") == frozenset()
        (hits,) = index.search(unit(1)[None], top=30)
        assert {hit.segment.video_id for hit in hits} == {"v0", "v2"}

    def test_a_deleted_video_can_come_back(self, index: MomentIndex) -> None:
        index.upsert(random_rows(30))
        index.delete_video("v1")
        index.upsert([row("v1", 7, unit(1))])
        assert index.keys_of("v1") == {"v1-7"}
        assert index.search(unit(1)[None], top=1)[0][0].key == "v1-7"

    def test_filter_by_video(self, index: MomentIndex) -> None:
        index.upsert(random_rows(30))
        (hits,) = index.search(unit(1)[None], top=30, where=Filter(video_ids=("v2", "v0", "nowhere")))
        assert {hit.segment.video_id for hit in hits} == {"v0", "v2"}
        assert len(hits) == 20

    def test_filter_by_one_video_of_many_finds_all_its_rows(self, index: MomentIndex) -> None:
        index.upsert(random_rows(3000, videos=60))
        for video in ("v0", "v7", "v59"):
            (hits,) = index.search(unit(1)[None], top=100, where=Filter(video_ids=(video,)))
            assert len(hits) == 50
            assert {hit.segment.video_id for hit in hits} == {video}

    def test_a_filter_may_name_a_thousand_videos(self, index: MomentIndex) -> None:
        """Questions about a recording time use such filters, with ids of 16 digits."""
        ids = [f"{number:016x}" for number in range(1200)]
        index.upsert([row(video_id, 0, unit(number % 7 + 1)) for number, video_id in enumerate(ids)])
        (hits,) = index.search(unit(1)[None], top=1200, where=Filter(video_ids=tuple(ids[100:1100])))
        assert {hit.segment.video_id for hit in hits} == set(ids[100:1100])

    @pytest.mark.parametrize("value", ["gate", 3, 0.5, True, *ODD_TEXTS])
    def test_filter_by_metadata(self, index: MomentIndex, value: Scalar) -> None:
        index.upsert([row("v0", 0, unit(1), site=value), row("v1", 0, unit(1), site="other"), row("v2", 0, unit(1))])
        (hits,) = index.search(unit(1)[None], top=9, where=Filter(metadata={"site": value}))
        assert [hit.key for hit in hits] == ["v0-0"]

    def test_filter_by_all_of_several(self, index: MomentIndex) -> None:
        index.upsert([row("v0", 0, unit(1), site="a", day=1), row("v1", 0, unit(1), site="a", day=2)])
        index.upsert([row("v2", 0, unit(1), site="a", day=2)])
        where = Filter(video_ids=("v0", "v1"), metadata={"site": "a", "day": 2})
        assert [hit.key for hit in index.search(unit(1)[None], top=9, where=where)[0]] == ["v1-0"]

    def test_filter_that_nothing_passes(self, index: MomentIndex) -> None:
        index.upsert(random_rows(5))
        assert index.search(unit(1)[None], top=9, where=Filter(metadata={"site": "a"})) == [[]]

    def test_a_text_is_not_a_number(self, index: MomentIndex) -> None:
        index.upsert([row("v0", 0, unit(1), day="3")])
        assert index.search(unit(1)[None], top=9, where=Filter(metadata={"day": 3})) == [[]]

    @pytest.mark.parametrize(
        ("wanted", "unwanted", "found"),
        [
            ((), (), "abcdefg"),
            (("person",), (), "bcefg"),
            (("person", "car"), (), "cefg"),
            ((), ("person",), "abdefg"),
            ((), ("car",), "abcdefg"),
            (("person",), ("person",), "befg"),
            (("car",), ("person",), "defg"),
            (("boat",), (), "efg"),
            ((), ("boat", "person"), "abdefg"),
        ],
    )
    def test_filter_by_labels(
        self, index: MomentIndex, wanted: tuple[str, ...], unwanted: tuple[str, ...], found: str
    ) -> None:
        """The last three rows have labels of other label sets, or none; they are unknown and pass every filter."""
        plain = {key: row("v0", n, unit(1, n), key=key, site="gate") for n, key in enumerate("abcdefg")}
        rows = [
            labelled(plain["a"]),
            labelled(plain["b"], "person"),
            labelled(plain["c"], "car", "person", whole=("person",)),
            labelled(plain["d"], "car"),
            labelled(plain["e"], "person", whole=("person",), label_set="s2"),
            replace(plain["f"], metadata={}),
            plain["g"],
        ]
        index.upsert(rows)
        where = Filter(labels=LabelFilter("s1", wanted, unwanted))
        assert {hit.key for hit in index.search(unit(1)[None], top=9, where=where)[0]} == set(found)

    def test_filter_by_labels_and_all_else(self, index: MomentIndex) -> None:
        rows = [row(f"v{n}", 0, unit(1, n), site="gate" if n % 2 else "yard") for n in range(6)]
        index.upsert([labelled(one, "person") if n > 2 else labelled(one) for n, one in enumerate(rows)])
        where = Filter(("v0", "v1", "v3", "v4"), {"site": "gate"}, LabelFilter("s1", ("person",)))
        assert [hit.key for hit in index.search(unit(1)[None], top=9, where=where)[0]] == ["v3-0"]

    @pytest.mark.parametrize("label", ODD_TEXTS)
    def test_odd_labels(self, index: MomentIndex, label: str) -> None:
        both = row("v0", 0, unit(1)), row("v1", 0, unit(1)), row("v2", 0, unit(1))
        index.upsert([labelled(both[0], label, whole=(label,)), labelled(both[1], label), labelled(both[2], "other")])
        for filtered, keys in (
            (LabelFilter("s1", (label,)), ["v0-0", "v1-0"]),
            (LabelFilter("s1", (), (label,)), ["v1-0", "v2-0"]),
        ):
            (hits,) = index.search(unit(1)[None], top=9, where=Filter(labels=filtered))
            assert [hit.key for hit in hits] == keys

    def test_rows_are_read_with_their_labels_and_metadata(self, index: MomentIndex) -> None:
        rows = [
            labelled(row("v0", 0, unit(1), site="gate"), "car", "person", whole=("car",)),
            labelled(row("v0", 1, unit(1))),
            row("v0", 2, unit(1), site="gate"),
        ]
        index.upsert(rows)
        found = {each.key: (each.labels, dict(each.metadata)) for each in index.rows_of(["v0"])}
        assert found == {each.key: (each.labels, dict(each.metadata)) for each in rows}

    def test_labels_are_replaced_with_their_row(self, index: MomentIndex) -> None:
        index.upsert([labelled(row("v0", 0, unit(1)), "person")])
        index.upsert([labelled(row("v0", 0, unit(1)), "car", label_set="s2")])
        for name, count in (("person", 0), ("car", 1)):
            where = Filter(labels=LabelFilter("s2", (name,)))
            assert len(index.search(unit(1)[None], top=9, where=where)[0]) == count
        index.upsert([row("v0", 0, unit(1))])
        assert [each.labels for each in index.rows_of(["v0"])] == [None]

    @pytest.mark.parametrize("name", ["", 'a"b', "a]", "a\nb", "[0]", "@labels"])
    def test_odd_names_of_metadata_are_refused(self, index: MomentIndex, name: str) -> None:
        with pytest.raises(MomentIndexError, match="metadata"):
            index.upsert([IndexedSegment("k", Segment("v", 0, 1, 0), unit(1), {name: 1})])
        with pytest.raises(QueryError, match="metadata"):
            index.search(unit(1)[None], top=1, where=Filter(metadata={name: 1}))

    @pytest.mark.parametrize("name", ["recorded at", "gps.lat", "straße", "a-b", "x:y/z"])
    def test_names_of_metadata(self, index: MomentIndex, name: str) -> None:
        index.upsert([IndexedSegment("k", Segment("v", 0, 1, 0), unit(1), {name: 1})])
        assert len(index.search(unit(1)[None], top=1, where=Filter(metadata={name: 1}))[0]) == 1
        assert len(index.search(unit(1)[None], top=1, where=Filter(metadata={name: 2}))[0]) == 0

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), None, [1], 2**70, 10**400])
    def test_odd_values_of_metadata_are_refused(self, index: MomentIndex, value: Scalar) -> None:
        with pytest.raises(MomentIndexError, match="metadata 'a'"):
            index.upsert([row("v", 0, unit(1), a=value)])
        with pytest.raises(QueryError, match="metadata 'a'"):
            index.search(unit(1)[None], top=1, where=Filter(metadata={"a": value}))

    @pytest.mark.parametrize("query", [np.zeros(DIMENSION), np.full(DIMENSION, np.nan), np.ones(DIMENSION)])
    def test_a_query_without_direction_is_refused(self, index: MomentIndex, query: npt.NDArray[np.float64]) -> None:
        index.upsert(random_rows(3))
        with pytest.raises(ValueError, match="unit length"):
            index.search(query[None].astype(np.float32), top=1)

    def test_a_query_of_another_length_is_refused(self, index: MomentIndex) -> None:
        index.upsert(random_rows(3))
        with pytest.raises(FingerprintMismatchError, match=f"3 dimensions.*{DIMENSION}"):
            index.search(np.asarray([[1, 0, 0]], np.float32), top=1)

    def test_rows_of_another_length_are_refused_whole(self, index: MomentIndex) -> None:
        index.upsert(random_rows(3))
        other = IndexedSegment("k", Segment("v", 0, 1, 0), np.asarray([1, 0], np.float32))
        with pytest.raises(FingerprintMismatchError, match="2 dimensions"):
            index.upsert([*random_rows(9)[3:], other])
        assert index.count() == 3

    def test_a_key_twice_in_a_batch_is_refused(self, index: MomentIndex) -> None:
        with pytest.raises(MomentIndexError, match="two rows"):
            index.upsert([row("v0", 0, unit(1)), row("v0", 0, unit(0, 1))])

    def test_top_below_one_is_refused(self, index: MomentIndex) -> None:
        with pytest.raises(ValueError, match="top=0"):
            index.search(unit(1)[None], top=0)

    def test_what_is_deleted_between_two_searches_is_not_found_by_the_second(self, index: MomentIndex) -> None:
        for round_ in range(5):
            index.upsert([row("v0", n, unit(1, n, round_)) for n in range(10)])
            assert len(index.search(unit(1)[None], top=20)[0]) == 10
            assert index.delete_video("v0") == 10
            assert index.search(unit(1)[None], top=20) == [[]]

    def test_closing_twice_is_harmless(self, open_it: Callable[[], MomentIndex]) -> None:
        with open_it() as index:
            index.upsert(random_rows(3))
        index.close()
        with open_it() as again:
            again.upsert(random_rows(3))
            assert again.count() == 3


class LastingIndexContract(IndexContract):
    """Additional tests for persistent indexes; `open_it` is required."""

    def test_what_was_written_is_there_after_reopening(self, open_it: Callable[[], MomentIndex]) -> None:
        for written in (10, 20, 30):
            with open_it() as index:
                index.upsert(random_rows(written))
            with open_it() as index:
                assert index.count() == written
                assert len(index.search(unit(1)[None], top=100)[0]) == written

    def test_what_was_deleted_stays_away_after_reopening(self, open_it: Callable[[], MomentIndex]) -> None:
        with open_it() as index:
            index.upsert(random_rows(30))
        with open_it() as index:
            assert index.delete_video("v0") == 10
        with open_it() as index:
            assert index.count() == 20
            assert {hit.segment.video_id for hit in index.search(unit(1)[None], top=99)[0]} == {"v1", "v2"}
