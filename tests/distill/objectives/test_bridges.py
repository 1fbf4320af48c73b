"""What lies between the two sides' spaces, against scikit-learn."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from vector_objectives import vectors

from recdistill.distill.objectives.bridges import Standardising, Whitening


def test_whitening_is_scikit_learns_up_to_sign():
    generator = torch.Generator().manual_seed(0)
    mixed = torch.randn(60, 6, generator=generator) @ torch.randn(6, 6, generator=generator) + 4
    found = Whitening(mixed, 4)(mixed)
    wanted = PCA(4, whiten=True, svd_solver="full").fit_transform(mixed.numpy())
    np.testing.assert_allclose(found.abs(), np.abs(wanted), atol=1e-4)
    torch.testing.assert_close(found.T.cov(), torch.eye(4), atol=1e-4, rtol=0)


def test_whitening_leaves_out_directions_without_meaning():
    flat = torch.zeros(20, 6)
    flat[:, :2] = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    assert Whitening(flat, 5)(flat).shape == (20, 2)


def test_standardising_takes_out_the_mean_and_one_factor():
    values = 3 * vectors(50, 4) + torch.tensor([1.0, -2.0, 0.0, 100.0])
    found = Standardising(values)(values)
    centred = StandardScaler(with_std=False).fit_transform(values.numpy())
    np.testing.assert_allclose(found, centred / np.sqrt((centred**2).mean()), rtol=1e-9)


def test_standardising_vectors_that_are_all_equal_gives_zeros():
    assert not Standardising(torch.full((5, 3), 2.5))(torch.full((5, 3), 2.5)).any()
