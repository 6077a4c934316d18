"""Measures of similarity against published figures, plain implementations, and what they must not
depend on."""

import numpy as np
import pytest

from glassnets.representations import similarity


def value(measure, x, y):
    if measure == "procrustes":
        return similarity.procrustes(*(similarity.root(similarity.gram(z)) for z in (x, y)))
    return similarity.table(np.stack([similarity.gram(x), similarity.gram(y)]), measure)[0, 1]


@pytest.fixture
def pair():
    """That of the demonstration which Kornblith et al. published."""
    rng = np.random.RandomState(1337)
    x = rng.randn(100, 10)
    return x, rng.randn(100, 10) + x


@pytest.mark.parametrize(("measure", "published"), [("cka_biased", 0.55761), ("cka", 0.51346)])
def test_the_published_demonstration(pair, measure, published):
    assert value(measure, *pair) == pytest.approx(published, abs=5e-6)


def test_independent_noise_looks_alike_to_the_biased_measure_alone():
    rng = np.random.default_rng(0)
    pairs = [rng.normal(size=(2, 100, 512)) for _ in range(5)]
    assert np.mean([value("cka_biased", *each) for each in pairs]) == pytest.approx(0.836, abs=5e-3)
    for each in pairs:
        assert value("cka", *each) == pytest.approx(0, abs=0.02)


def plain_cka(x, y):
    """Biased: ‖YᵀX‖²/(‖XᵀX‖·‖YᵀY‖), of features."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return np.linalg.norm(y.T @ x) ** 2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)


def plain_hsic(k, l):  # noqa: E741
    """Song et al. (2012), eq. 5."""
    n, one = len(k), np.ones(len(k))
    k, l = k - np.diag(np.diag(k)), l - np.diag(np.diag(l))  # noqa: E741
    whole = np.trace(k @ l) + one @ k @ one * (one @ l @ one) / ((n - 1) * (n - 2))
    return (whole - 2 / (n - 2) * one @ k @ l @ one) / (n * (n - 3))


def test_cka_is_that_of_plain_formulas(pair):
    x, y = pair
    assert value("cka_biased", x, y) == pytest.approx(plain_cka(x, y))
    k, l = x @ x.T, y @ y.T  # noqa: E741
    debiased = plain_hsic(k, l) / np.sqrt(plain_hsic(k, k) * plain_hsic(l, l))
    assert value("cka", x, y) == pytest.approx(debiased)


def test_the_correlation_of_dissimilarities_is_that_of_scipy(pair):
    from scipy.spatial.distance import pdist
    from scipy.stats import spearmanr

    x, y = pair
    expected = spearmanr(pdist(x), pdist(y)).statistic
    assert value("rdm", x, y) == pytest.approx(expected, abs=1e-4)


def test_the_angle_is_that_of_scipys_rotation(pair):
    from scipy.linalg import orthogonal_procrustes

    x, y = (z - z.mean(axis=0) for z in pair)
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    rotation, _ = orthogonal_procrustes(x, y)
    expected = np.arccos((x @ rotation * y).sum())
    assert value("procrustes", *pair) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("measure", similarity.MEASURES)
def test_rotation_scale_and_shift_change_nothing(pair, measure):
    x, y = pair
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(10, 10)))
    moved = 7 * x @ rotation + 3
    assert value(measure, moved, y) == pytest.approx(value(measure, x, y), abs=1e-4)
    expected = 0 if measure == "procrustes" else 1
    assert value(measure, moved, x) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("measure", similarity.COSINES)
def test_a_stretched_axis_changes_them(pair, measure):
    x, _ = pair
    stretched = x * np.array([5] + [1] * 9)
    assert value(measure, stretched, x) < 0.9


def test_a_constant_representation_is_like_nothing(pair):
    x, _ = pair
    constant = np.ones((100, 3))
    for measure in similarity.COSINES:
        assert value(measure, constant, x) == 0
    empty = similarity.root(similarity.gram(constant))
    assert similarity.procrustes(empty, similarity.root(similarity.gram(x))) == np.pi / 2


def test_the_root_of_a_gram_matrix_gives_it_back(pair):
    matrix = similarity.gram(pair[0])
    factor = similarity.root(matrix.astype(np.float32))
    assert factor.shape == (100, 10)
    np.testing.assert_allclose(factor @ factor.T, matrix, atol=1e-5)
