from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp

from recdistill.teachers.blending import Blend, fitted
from recdistill.teachers.minimum import lowest


def drawn(base: float, judge: float, cases: int, silence: float = 0.0, seed: int = 0):
    """Answers drawn from the pool with these exponents."""
    draw = np.random.default_rng(seed)
    log_p = log_softmax(draw.normal(size=(cases, 8)), axis=1) - 0.5
    judged = draw.normal(size=(cases, 8)) * 3
    judged[draw.random((cases, 8)) < silence] = np.nan
    judged[:, 0] = 1.0  # somebody is heard of in every case
    exponents = np.where(np.isnan(judged), -np.inf, base * log_p + judge * np.nan_to_num(judged))
    noise = draw.gumbel(size=exponents.shape)
    return log_p, judged, (exponents + noise).argmax(1).astype(np.int64)


@pytest.mark.parametrize(("base", "judge"), [(1.0, 0.0), (0.5, 0.3), (0.0, 1.0), (0.8, 0.1)])
def test_the_exponents_that_made_the_answers_are_found_again(base, judge):
    found = fitted(*drawn(base, judge, 2000, silence=0.2))
    assert found.base == pytest.approx(base, abs=0.1)
    assert found.judge == pytest.approx(judge, abs=0.04)


@pytest.mark.parametrize("cases", [3, 40, 300])
def test_it_is_the_lowest_point_that_another_optimiser_finds(cases):
    log_p, judged, answers = drawn(0.6, 0.2, cases, silence=0.1)
    heard = ~np.isnan(judged)
    centred = judged - np.nanmean(judged, axis=1, keepdims=True)
    spread = np.sqrt(np.nanmean(centred**2))

    def surprise(point):
        exponents = np.where(heard, point[0] * log_p + point[1] * np.nan_to_num(judged), -np.inf)
        told = (exponents[np.arange(cases), answers] - logsumexp(exponents, axis=1)).sum()
        return -told + 0.5 * (1 - point[0]) ** 2 + 0.5 * (point[1] * spread / 3) ** 2

    best = minimize(surprise, [0.5, 0.1], bounds=[(0, 1), (0, None)], method="L-BFGS-B", tol=1e-12)
    found = fitted(log_p, judged, answers)
    assert surprise([found.base, found.judge]) <= best.fun + 1e-3
    assert [found.base, found.judge] == pytest.approx(best.x, abs=5e-3)


def test_without_evidence_the_judge_is_not_heard():
    nobody = Blend(base=1.0, judge=0.0)
    assert fitted(np.zeros((0, 4)), np.zeros((0, 4)), np.zeros(0, dtype=np.int64)) == nobody
    flat = np.full((5, 4), 2.0)
    assert fitted(np.zeros((5, 4)), flat, np.arange(5) % 4) == nobody


def test_a_judge_that_is_wrong_on_purpose_is_not_heard():
    log_p, judged, answers = drawn(1.0, 0.5, 500)
    assert fitted(log_p, -judged, answers).judge == 0.0


def test_few_cases_make_no_certainty():
    log_p, judged = np.full((2, 3), np.log(1 / 3)), np.array([[5.0, 0, 0], [0, 5.0, 0]])
    found = fitted(log_p, judged, np.array([0, 1]))
    assert 0 < found.judge * 5 < 10


def test_the_lowest_point_of_a_valley():
    assert lowest(lambda x: (x - 0.3) ** 2, 0.0, 1.0, 40) == pytest.approx(0.3, abs=1e-7)
    assert lowest(lambda x: x, 0.0, 1.0, 40) == pytest.approx(0.0, abs=1e-7)
