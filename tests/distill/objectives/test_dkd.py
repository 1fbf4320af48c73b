"""`dkd` against the paper's formula, written over whole catalogues and over classes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from logit_objectives import ITEMS, check_contract, each, listed, student, targets, top_k
from pydantic import ValidationError
from scipy.special import rel_entr, softmax

from recdistill.distill.objectives import DKD, KL
from recdistill.distill.objectives.dkd import target_classes
from recdistill.errors import ConfigError
from recdistill.signals.kinds import TopK


def decoupled(p, q, target):
    """TCKD and NCKD of two distributions, as the paper writes them."""
    pair_p, pair_q = [p[target], 1 - p[target]], [q[target], 1 - q[target]]
    others_p = np.delete(p, target) / (1 - p[target])
    others_q = np.delete(q, target) / (1 - q[target])
    return rel_entr(pair_p, pair_q).sum(), rel_entr(others_p, others_q).sum()


def classes(p, items):
    """The listed items and all others as one more."""
    return np.append(p[items], 1 - p[items].sum())


def test_contract():
    check_contract(DKD())


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.0])
def test_against_the_paper_over_the_listed_items_and_the_bucket(temperature):
    states, table = student()
    signal, teacher = top_k(temperature=temperature)
    found = each(DKD(alpha=0.5, beta=3.0, temperature=temperature), states, table, signal)
    p = softmax(teacher.numpy() / temperature, axis=1)
    q = softmax((states @ table.T).numpy() / temperature, axis=1)
    inside = 0
    for row, target in enumerate(targets().tolist()):
        items = signal["items"][row].tolist()
        inside += target in items
        chosen = items.index(target) if target in items else len(items)
        parts = decoupled(classes(p[row], items), classes(q[row], items), chosen)
        wanted = temperature**2 * (0.5 * parts[0] + 3.0 * parts[1])
        assert found[row].item() == pytest.approx(wanted, abs=1e-9)
    assert 0 < inside < len(states)


def test_with_everything_listed_it_is_the_papers_own():
    states, table = student()
    signal, teacher = top_k(k=ITEMS)
    found = each(DKD(alpha=1.0, beta=8.0), states, table, signal)
    p, q = softmax(teacher.numpy(), axis=1), softmax((states @ table.T).numpy(), axis=1)
    for row, target in enumerate(targets().tolist()):
        asked, others = decoupled(p[row], q[row], target)
        assert found[row].item() == pytest.approx(asked + 8 * others, abs=1e-9)


def test_the_parts_add_up_to_the_divergence():
    """With β = 1 − p(class of the target), the chain rule: KL over listed items and bucket."""
    states, table = student()
    signal, _ = top_k()
    chosen = target_classes(signal["items"], targets())
    asked = each(DKD(alpha=1.0, beta=0.0), states, table, signal)
    others = each(DKD(alpha=0.0, beta=1.0), states, table, signal)
    scores = torch.cat([signal["logits"], signal["rest"].unsqueeze(1)], dim=1)
    p = torch.softmax(scores, 1).gather(1, chosen.unsqueeze(1)).squeeze(1)
    wanted = each(KL(rest="bucket"), states, table, signal)
    torch.testing.assert_close(asked + (1 - p) * others, wanted)


def test_zero_where_the_student_is_the_teacher():
    states, table = student()
    signal = listed(states @ table.T, k=4)
    assert each(DKD(), states, table, signal).abs().max() < 1e-10


def test_which_class_a_target_is():
    items = torch.tensor([[4, 2, 9], [4, 2, 9], [4, 2, 9]])
    assert target_classes(items, torch.tensor([2, 4, 7])).tolist() == [1, 0, 3]


def test_a_sure_teacher_is_heard_about_the_others():
    """What plain KL weighs by 1 − p(target), this does not."""
    full = torch.tensor([[9.0, 1.0, 0.0, -1.0]], dtype=torch.float64)
    wrong = torch.tensor([[9.0, -1.0, 0.0, 1.0]], dtype=torch.float64)
    states, table = torch.ones(1, 1, dtype=torch.float64), wrong.T.contiguous()
    signal, target = listed(full, k=4), torch.tensor([0])
    assert each(KL(rest="bucket"), states, table, signal, target).item() < 1e-2
    assert each(DKD(beta=1.0), states, table, signal, target).item() > 1


def test_is_defined_where_the_next_item_is_known():
    assert DKD().needs_target
    assert DKD().source == "top-k"


def test_needs_the_signals_own_temperature():
    DKD(temperature=2.0).check(TopK(temperature=2.0))
    with pytest.raises(ConfigError, match="temperature 4, but the signals keep it at 1") as caught:
        DKD(temperature=4.0).check(TopK())
    assert "temperature: 1" in caught.value.hint


@pytest.mark.parametrize("wrong", [{"alpha": -1}, {"beta": math.inf}, {"temperature": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        DKD.model_validate(wrong)


def test_its_weights_are_schedules():
    warm = DKD.model_validate({"beta": {"kind": "linear", "from": 0, "to": 8}})
    assert warm.knobs(0.25, {})["beta"] == 2
