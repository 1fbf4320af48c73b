"""`importance-aware` against numpy, with ranks that are exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from logit_objectives import ITEMS, check_contract, each, student, top_k
from pydantic import ValidationError
from scipy.special import softmax
from scipy.stats import rankdata

from recdistill.distill.objectives import ImportanceAware, Ranking
from recdistill.errors import ConfigError
from recdistill.signals.kinds import TopK


def reference(ours, items, teacher, top, gammas, reach, temperature, likelihood):
    placed = np.exp(-np.arange(1, top + 1) / reach)
    surprisal = -np.log(softmax(teacher))[:top]
    sure = np.exp(-surprisal / temperature)
    agreed = rankdata(-ours)[items[:top]] <= top
    weights = gammas[0] * placed / placed.sum() + gammas[1] * sure / sure.sum() + gammas[2] * agreed
    head = ours[items[:top]]
    losses = (
        np.log1p(np.exp(-head)) if likelihood == "sigmoid" else np.log(np.exp(ours).sum()) - head
    )
    return (weights / weights.sum() * losses).sum()


@pytest.mark.parametrize("likelihood", ["sigmoid", "softmax"])
@pytest.mark.parametrize("consistency", [0.0, 0.1])
def test_contract(likelihood, consistency):
    objective = ImportanceAware(likelihood=likelihood, consistency=consistency, top=3)
    check_contract(objective, draws=bool(consistency))


@pytest.mark.parametrize("likelihood", ["sigmoid", "softmax"])
@pytest.mark.parametrize("gammas", [(0.3, 0.5, 0.1), (1.0, 0.0, 0.0), (0.0, 1.0, 2.0)])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_against_numpy(likelihood, gammas, temperature):
    states, table = student()
    signal, _ = top_k(k=ITEMS)
    objective = ImportanceAware(
        top=4,
        position=gammas[0],
        confidence=gammas[1],
        consistency=gammas[2],
        reach=2.0,
        temperature=temperature,
        likelihood=likelihood,
    )
    found = each(objective, states, table, signal)
    ours = (states @ table.T).numpy()
    for row, items in enumerate(signal["items"].numpy()):
        teacher = signal["logits"][row].numpy()
        wanted = reference(ours[row], items, teacher, 4, gammas, 2.0, temperature, likelihood)
        assert found[row].item() == pytest.approx(wanted)


def test_position_alone_is_ranking_by_position():
    states, table = student()
    signal, _ = top_k()
    alone = ImportanceAware(top=4, confidence=0, consistency=0)
    torch.testing.assert_close(
        each(alone, states, table, signal),
        each(Ranking(top=4, discrepancy=0), states, table, signal),
    )


def test_confidence_is_the_teachers_probability_whatever_the_normaliser():
    states, table = student()
    signal, _ = top_k()
    moved = {**signal, "logits": signal["logits"] - 7.0}
    objective = ImportanceAware(top=4)
    torch.testing.assert_close(
        each(objective, states, table, moved), each(objective, states, table, signal)
    )


def test_weights_that_may_all_vanish_are_refused():
    with pytest.raises(ValidationError, match="may not both reach 0"):
        ImportanceAware(position=0, confidence=0)
    ImportanceAware(position=0)
    ImportanceAware(confidence=0)


def test_more_positives_than_listed_are_refused():
    with pytest.raises(ConfigError, match=r"`top: 10` .* but the signals list 5"):
        ImportanceAware().check(TopK(k=5))


@pytest.mark.parametrize("wrong", [{"position": -1}, {"reach": 0}, {"temperature": 0}, {"top": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        ImportanceAware.model_validate(wrong)
