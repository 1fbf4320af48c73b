"""`ranking` against numpy, with ranks that are exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from logit_objectives import ITEMS, check_contract, each, listed, student, top_k
from pydantic import ValidationError
from scipy.stats import rankdata

from recdistill.distill.objectives import Ranking
from recdistill.errors import ConfigError
from recdistill.signals.kinds import TopK


def reference(ours, items, top, reach, sharpness, likelihood):
    """Loops over the paper's sum; `items` in the teacher's order, ranks over the catalogue."""
    ranks, total = rankdata(-ours), 0.0
    placed = np.exp(-np.arange(1, top + 1) / reach)
    placed /= placed.sum()
    for r, item in enumerate(items[:top], start=1):
        weight = placed[r - 1]
        if sharpness:
            weight *= np.tanh(max(sharpness * (ranks[item] - r), 0))
        if likelihood == "sigmoid":
            total -= weight * np.log(1 / (1 + np.exp(-ours[item])))
        else:
            total -= weight * (ours[item] - np.log(np.exp(ours).sum()))
    return total


@pytest.mark.parametrize("likelihood", ["sigmoid", "softmax"])
@pytest.mark.parametrize("discrepancy", [0.0, 0.1])
def test_contract(likelihood, discrepancy):
    objective = Ranking(likelihood=likelihood, discrepancy=discrepancy, top=3)
    check_contract(objective, draws=bool(discrepancy))
    assert objective.dense == (likelihood == "softmax")


@pytest.mark.parametrize("likelihood", ["sigmoid", "softmax"])
@pytest.mark.parametrize("sharpness", [0.0, 0.3])
@pytest.mark.parametrize(("top", "reach"), [(1, 1.0), (4, 2.0), (ITEMS, 1.0)])
def test_against_numpy(likelihood, sharpness, top, reach):
    states, table = student()
    signal, _ = top_k(k=ITEMS)
    objective = Ranking(top=top, reach=reach, discrepancy=sharpness, likelihood=likelihood)
    found = each(objective, states, table, signal)
    ours = (states @ table.T).numpy()
    for row, items in enumerate(signal["items"].tolist()):
        wanted = reference(ours[row], items, top, reach, sharpness, likelihood)
        assert found[row].item() == pytest.approx(wanted)


def test_nothing_is_left_to_say_where_the_student_ranks_like_the_teacher():
    states, table = student()
    signal = listed(states @ table.T, k=ITEMS)
    assert each(Ranking(), states, table, signal).abs().max() == 0
    assert (each(Ranking(discrepancy=0), states, table, signal) > 0).all()


def test_what_lies_outside_the_list_counts_among_the_ranks():
    """Nine unlisted items score higher than the listed best: its rank is about 10, however few are
    drawn."""
    states, table = torch.ones(1, 1, dtype=torch.float64), torch.ones(ITEMS, 1).double()
    table[0] = 0.0
    signal = {
        "items": torch.tensor([[0, 1]]),
        "logits": torch.tensor([[1.0, 0.0]]).double(),
        "rest": torch.tensor([0.0]).double(),
    }
    found = each(
        Ranking(top=1, samples=3, discrepancy=0.05), states, table, signal, torch.tensor([0])
    )
    assert found.item() == pytest.approx(np.tanh(0.05 * 10) * np.log(2))


def test_the_weights_have_no_gradients():
    """The gradient is that of the log-likelihoods alone, weight by weight."""
    states, table = student()
    signal, _ = top_k(k=ITEMS)
    ours = (states @ table.T).requires_grad_()
    plain = Ranking(discrepancy=0.2, top=5)
    table = table.requires_grad_()
    each(plain, states, table, signal).sum().backward()
    ranks = torch.from_numpy(rankdata(-ours.detach().numpy(), axis=1)).gather(1, signal["items"])
    r = torch.arange(1, 6, dtype=torch.float64)
    weights = (-r).softmax(0) * torch.tanh(0.2 * (ranks[:, :5] - r).clamp_min(0))
    heads = ours.gather(1, signal["items"][:, :5])
    (-(weights * torch.nn.functional.logsigmoid(heads)).sum()).backward()
    torch.testing.assert_close(table.grad, ours.grad.T @ states)


def test_more_positives_than_listed_are_refused():
    Ranking(top=10).check(TopK(k=10))
    with pytest.raises(ConfigError, match=r"`top: 10` .* but the signals list 5") as caught:
        Ranking().check(TopK(k=5))
    assert "`top: 5` or less" in caught.value.hint


@pytest.mark.parametrize(
    "wrong", [{"top": 0}, {"reach": 0}, {"discrepancy": -0.1}, {"samples": 0}, {"likelihood": "x"}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        Ranking.model_validate(wrong)


def test_the_discrepancy_may_begin_later():
    late = Ranking.model_validate({"discrepancy": {"kind": "step", "from": 0, "to": 0.1}})
    assert [late.knobs(at, {})["discrepancy"] for at in (0.0, 0.6)] == [0.0, 0.1]
