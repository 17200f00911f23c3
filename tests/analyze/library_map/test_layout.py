from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.manifold import TSNE

from pipeline.analyze.library_map.cluster_names import name_clusters, read_vocabulary
from pipeline.analyze.library_map.layout import find_clusters, lay_out


def groups(count: int, size: int, dimension: int = 16, spread: float = 0.03) -> npt.NDArray[np.float32]:
    """Unit vectors around the first axes, one group after another."""
    rng = np.random.default_rng(3)
    vectors = np.repeat(np.eye(dimension)[:count], size, axis=0) + rng.normal(0, spread, (count * size, dimension))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def test_what_is_alike_lies_together_and_makes_a_cluster() -> None:
    positions = lay_out(groups(4, 30))
    assert positions.shape == (120, 2)
    assert (positions.min(), positions.max()) == (0.0, 1.0)
    clusters = find_clusters(positions)
    assert [len(set(clusters[first : first + 30])) for first in range(0, 120, 30)] == [1] * 4
    assert set(clusters) == {0, 1, 2, 3}


def test_the_same_vectors_get_the_same_places() -> None:
    vectors = groups(3, 20)
    assert np.array_equal(lay_out(vectors), lay_out(vectors))


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 7, 12])
def test_few_moments(count: int) -> None:
    positions = lay_out(groups(4, 3)[:count])
    assert positions.shape == (count, 2)
    assert np.isfinite(positions).all()
    assert len(find_clusters(positions)) == count


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_short_embeddings(dimension: int) -> None:
    vectors = np.ones((40, dimension), np.float32) / np.sqrt(dimension).astype(np.float32)
    assert np.isfinite(lay_out(vectors)).all()


def test_a_cluster_is_named_by_what_it_shows_more_than_the_rest() -> None:
    """All moments show the last axis; a word for it names nothing while others fit."""
    vectors = groups(3, 10) + 2 * np.eye(16, dtype=np.float32)[15]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    clusters = np.repeat(np.arange(3), 10)
    words = ("everything", "one", "two", "three")
    texts = np.eye(16, dtype=np.float32)[[15, 0, 1, 2]]
    assert name_clusters(vectors, clusters, words, texts) == ["one", "two", "three"]


def test_names_are_given_once_and_moments_between_clusters_count_for_none() -> None:
    vectors = groups(2, 10)
    clusters = np.asarray([0] * 10 + [1] * 8 + [-1] * 2)
    texts = np.eye(16, dtype=np.float32)[:1]
    assert name_clusters(vectors, clusters, ("one",), texts) == ["one", ""]
    assert name_clusters(vectors, np.full(20, -1), ("one",), texts) == []
    assert name_clusters(vectors, clusters, (), texts[:0]) == ["", ""]


def test_the_vocabulary_has_each_word_once() -> None:
    words = read_vocabulary()
    assert len(words) == len(set(words)) > 100
    assert all(word == word.strip() for word in words)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_too_few_to_lay_out_are_in_a_row(count: int) -> None:
    positions = lay_out(groups(4, 3)[:count])
    assert positions.tolist() == [[(number + 0.5) / count, 0.5] for number in range(count)]


def test_from_five_on_moments_are_laid_out_unless_all_are_the_same() -> None:
    assert len(set(lay_out(groups(5, 1))[:, 1])) > 1
    same = np.tile(groups(1, 1), (6, 1))
    assert lay_out(same).tolist() == [[(number + 0.5) / 6, 0.5] for number in range(6)]


@pytest.mark.parametrize(("groups_made", "perplexity"), [(5, 30.0), (2, 13.0)])
def test_the_layout_is_that_of_t_sne_from_the_first_two_components(groups_made: int, perplexity: float) -> None:
    """At a perplexity of 30, or a third of the others where these are few; the principal axes by an eigensystem here.

    The sign of an axis is free: a layout may be mirrored, so distances are compared.
    """
    from scipy.spatial.distance import pdist

    vectors = groups(groups_made, 20, dimension=8).astype(np.float64)
    centred = vectors - vectors.mean(axis=0)
    components = np.linalg.svd(centred, full_matrices=False)
    reduced = components[0] * components[1]
    start = reduced[:, :2] / reduced[:, 0].std() * 1e-4
    placed = TSNE(2, perplexity=perplexity, init=start, random_state=0, n_jobs=1).fit_transform(reduced)
    expected = (placed - placed.min(axis=0)) / np.ptp(placed, axis=0)
    np.testing.assert_allclose(pdist(lay_out(groups(groups_made, 20, dimension=8))), pdist(expected), atol=1e-3)


@pytest.mark.parametrize(("count", "clusters"), [(0, []), (1, [0]), (9, [0] * 9)])
def test_what_is_too_little_for_two_clusters_is_one(count: int, clusters: list[int]) -> None:
    rng = np.random.default_rng(5)
    assert find_clusters(rng.random((count, 2))).tolist() == clusters


def test_ten_positions_may_be_two_clusters_of_five() -> None:
    near = np.random.default_rng(5).random((5, 2)) / 100
    found = find_clusters(np.concatenate([near, near + 1]))
    assert sorted(map(set, (found[:5], found[5:])), key=min) == [{0}, {1}]
