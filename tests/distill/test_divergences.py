"""Divergences against scipy and against what theory says of them."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr

from recdistill.distill.objectives.divergences import (
    forward_kl,
    jensen_shannon,
    reverse_kl,
    skew_kl,
    skew_reverse_kl,
)

SKEWED = [partial(skew_kl, skew=0.1), partial(skew_reverse_kl, skew=0.3)]
ALL = [forward_kl, reverse_kl, jensen_shannon, *SKEWED]

PAIRS = hnp.arrays(np.float64, (2, 4, 7), elements=st.floats(-8, 8))


def logs(scores):
    return torch.log_softmax(torch.as_tensor(scores), dim=-1)


@settings(deadline=None, max_examples=25)
@given(PAIRS)
def test_forward_and_reverse_are_relative_entropies(scores):
    p, q = logs(scores[0]), logs(scores[1])
    a, b = p.exp().numpy(), q.exp().numpy()
    np.testing.assert_allclose(forward_kl(p, q), rel_entr(a, b).sum(-1), atol=1e-12)
    np.testing.assert_allclose(reverse_kl(p, q), rel_entr(b, a).sum(-1), atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(PAIRS)
def test_jensen_shannon_is_the_mean_relative_entropy_from_the_middle(scores):
    p, q = logs(scores[0]), logs(scores[1])
    a, b = p.exp().numpy(), q.exp().numpy()
    middle = (a + b) / 2
    wanted = (rel_entr(a, middle).sum(-1) + rel_entr(b, middle).sum(-1)) / 2
    np.testing.assert_allclose(jensen_shannon(p, q), wanted, atol=1e-12)


@pytest.mark.parametrize("skew", [0.0, 0.1, 0.9])
@settings(deadline=None, max_examples=25)
@given(PAIRS)
def test_skewed_are_relative_entropies_from_a_mixture(skew, scores):
    p, q = logs(scores[0]), logs(scores[1])
    a, b = p.exp().numpy(), q.exp().numpy()
    forward = rel_entr(a, skew * a + (1 - skew) * b).sum(-1)
    reverse = rel_entr(b, (1 - skew) * a + skew * b).sum(-1)
    np.testing.assert_allclose(skew_kl(p, q, skew), forward, atol=1e-12)
    np.testing.assert_allclose(skew_reverse_kl(p, q, skew), reverse, atol=1e-12)


@pytest.mark.parametrize("skewed", [skew_kl, skew_reverse_kl])
def test_skewed_are_bounded_where_the_others_are_not(skewed):
    p, q = logs([[500.0, 0.0]]), logs([[0.0, 500.0]])
    assert forward_kl(p, q).item() > 400
    assert skewed(p, q, 0.1).item() == pytest.approx(-math.log(0.1))


def test_jensen_shannon_is_the_squared_distance_of_scipy():
    p, q = logs([[2.0, -1.0, 0.5]]), logs([[-1.0, 0.0, 3.0]])
    wanted = jensenshannon(p[0].exp().numpy(), q[0].exp().numpy()) ** 2
    assert jensen_shannon(p, q).item() == pytest.approx(wanted)


@pytest.mark.parametrize("divergence", ALL)
@settings(deadline=None, max_examples=25)
@given(PAIRS)
def test_zero_at_equality_and_never_negative(divergence, scores):
    p, q = logs(scores[0]), logs(scores[1])
    assert divergence(p, p).abs().max() < 1e-12
    assert divergence(p, q).min() > -1e-12


@settings(deadline=None, max_examples=25)
@given(PAIRS)
def test_jensen_shannon_is_symmetric_and_bounded(scores):
    p, q = logs(scores[0] * 50), logs(scores[1] * 50)
    torch.testing.assert_close(jensen_shannon(p, q), jensen_shannon(q, p))
    assert jensen_shannon(p, q).max() <= math.log(2) + 1e-12


def test_jensen_shannon_reaches_its_bound_on_disjoint_distributions():
    p, q = logs([[500.0, 0.0]]), logs([[0.0, 500.0]])
    assert jensen_shannon(p, q).item() == pytest.approx(math.log(2))


def test_forward_covers_and_reverse_seeks():
    """Between two modes of the teacher, forward prefers a broad student, reverse one on a mode."""
    teacher = logs([[5.0, -5.0, 5.0]])
    broad, single = logs([[1.0, 1.0, 1.0]]), logs([[8.0, -2.0, -2.0]])
    assert forward_kl(teacher, broad) < forward_kl(teacher, single)
    assert reverse_kl(teacher, single) < reverse_kl(teacher, broad)


@pytest.mark.parametrize("divergence", ALL)
def test_gradients_by_finite_differences(divergence):
    generator = torch.Generator().manual_seed(0)
    teacher = logs(torch.randn(3, 5, generator=generator, dtype=torch.float64))
    scores = torch.randn(3, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: divergence(teacher, logs(z)), scores)
