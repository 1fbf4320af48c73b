"""Principal components against numpy's SVD and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from recdistill.distill.principal import principal


def vectors(rows, width, seed=0):
    generator = np.random.default_rng(seed)
    mixing = generator.normal(size=(width, width))
    return torch.as_tensor(generator.normal(size=(rows, width)) @ mixing + 3.0)


@pytest.mark.parametrize(("rows", "width", "count"), [(50, 8, 3), (50, 8, 8), (6, 20, 4)])
def test_against_singular_values(rows, width, count):
    x = vectors(rows, width)
    found = principal(x, count)
    _, singular, axes = np.linalg.svd(x.numpy() - x.numpy().mean(0), full_matrices=False)
    np.testing.assert_allclose(found.deviations, singular[:count] / np.sqrt(rows - 1), rtol=1e-8)
    np.testing.assert_allclose(np.abs((axes[:count] * found.axes.numpy().T).sum(1)), 1, rtol=1e-8)
    np.testing.assert_allclose(found.mean, x.numpy().mean(0))


def test_explained_variance_is_scikit_learns():
    x = vectors(200, 12)
    wanted = PCA(4, svd_solver="full").fit(x.numpy()).explained_variance_ratio_.sum()
    assert principal(x, 4).explained == pytest.approx(wanted, rel=1e-10)
    assert principal(x, 12).explained == pytest.approx(1.0)


def test_axes_are_orthonormal_and_signed():
    axes = principal(vectors(100, 9), 5).axes
    torch.testing.assert_close(axes.T @ axes, torch.eye(5, dtype=torch.float64))
    assert (axes.gather(0, axes.abs().argmax(0, keepdim=True)) > 0).all()


def test_the_order_of_rows_and_single_precision_do_not_flip_signs():
    x = vectors(80, 6)
    exact = principal(x, 3).axes
    torch.testing.assert_close(principal(x.flip(0), 3).axes, exact)
    torch.testing.assert_close(principal(x.float(), 3).axes, exact, atol=1e-5, rtol=1e-5)


def test_never_more_components_than_rows_or_columns():
    assert principal(vectors(3, 10), 8).axes.shape == (10, 3)
    assert principal(vectors(30, 4), 8).axes.shape == (4, 4)


def test_constant_vectors_have_no_variance_to_explain():
    found = principal(torch.ones(5, 3), 2)
    assert found.explained == 0
    assert found.deviations.tolist() == [0, 0]
