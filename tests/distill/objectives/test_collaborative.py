"""`collaborative` against loops over what was drawn."""

from __future__ import annotations

import math

import pytest
import torch
from logit_objectives import ITEMS, check_contract, each, listed, student, top_k
from pydantic import ValidationError

from recdistill.distill.objectives import Collaborative, SoftBCE, collaborative
from recdistill.errors import ConfigError
from recdistill.signals.kinds import TopK


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def by_loops(teacher, ours, drawn_teacher, drawn_ours, temperature):
    """Logits of the list, whose means are the zeros, and of what was drawn."""
    zero_t, zero_s = sum(teacher) / len(teacher), sum(ours) / len(ours)
    total = 0.0
    for t, s in zip(drawn_teacher, drawn_ours, strict=True):
        q, p = sigmoid((t - zero_t) / temperature), sigmoid((s - zero_s) / temperature)
        total -= q * math.log(p) + (1 - q) * math.log(1 - p)
    return temperature**2 * total / len(drawn_ours)


@pytest.mark.parametrize("guide", ["teacher", "student"])
def test_contract(guide):
    check_contract(Collaborative(guide=guide, listed=3, others=4), draws=True)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_against_loops(monkeypatch, temperature):
    """With the draws fixed: listed columns 1 and 3, and two items outside the list."""
    states, table = student()
    signal, teacher = top_k(temperature=temperature)
    unlisted = torch.tensor(
        [[i for i in range(ITEMS) if i not in row][1:3] for row in signal["items"].tolist()]
    )
    monkeypatch.setattr(collaborative, "drawn", lambda w, count: torch.tensor([[1, 3]]))
    row = iter(range(len(states)))
    monkeypatch.setattr(collaborative, "outside", lambda *_: unlisted[[next(row)]])
    objective = Collaborative(listed=2, others=2, temperature=temperature)
    found = each(objective, states, table, signal)
    ours = states @ table.T
    for row, items in enumerate(signal["items"].tolist()):
        outside = [
            math.exp(z / temperature) for i, z in enumerate(teacher[row].tolist()) if i not in items
        ]
        mean = temperature * math.log(sum(outside) / len(outside))
        wanted = by_loops(
            signal["logits"][row].tolist(),
            ours[row, items].tolist(),
            [signal["logits"][row, 1].item(), signal["logits"][row, 3].item(), mean, mean],
            ours[row, [items[1], items[3], *unlisted[row].tolist()]].tolist(),
            temperature,
        )
        assert found[row].item() == pytest.approx(wanted)


def test_with_everything_drawn_it_is_soft_bce():
    states, table = student()
    signal, _ = top_k(k=ITEMS)
    torch.testing.assert_close(
        each(Collaborative(listed=ITEMS), states, table, signal),
        each(SoftBCE(scale="centred"), states, table, signal),
    )


def test_its_guide_decides_what_is_drawn(monkeypatch):
    """With a reach of almost nothing, the first two of the guide's order are drawn for certain."""
    states, table = student()
    signal, _ = top_k()
    seen = []
    monkeypatch.setattr(
        collaborative, "drawn", lambda w, n: seen.append(original(w, n)) or seen[-1]
    )
    for guide in ("teacher", "student"):
        each(Collaborative(listed=2, reach=1e-3, guide=guide), states, table, signal)
    drawn = torch.cat(seen).view(2, len(states), 2)
    ours = (states @ table.T).gather(1, signal["items"]).topk(2).indices.sort(1).values
    assert drawn[0].tolist() == [[0, 1]] * len(states)
    assert drawn[1].tolist() == ours.tolist()


original = collaborative.drawn


def test_least_where_the_student_is_the_teacher_and_spreads_the_rest_evenly():
    full = torch.tensor([[3.0, 2.0, 1.0, -2.0, -2.0, -2.0]], dtype=torch.float64)
    states = torch.ones(1, 1, dtype=torch.float64)
    table = full.T.clone().requires_grad_()
    objective = Collaborative(listed=3, others=50)
    each(objective, states, table, listed(full, k=3), torch.tensor([0])).backward()
    assert table.grad.abs().max() < 1e-12


def test_what_it_cannot_be_served_with_is_refused():
    Collaborative().check(TopK(k=30))
    with pytest.raises(ConfigError, match=r"`listed: 30` .* but the signals list 20"):
        Collaborative().check(TopK(k=20))
    with pytest.raises(ConfigError, match="temperature 2, but the signals keep it at 1"):
        Collaborative(temperature=2.0).check(TopK())


@pytest.mark.parametrize("wrong", [{"listed": 0}, {"others": -1}, {"reach": 0}, {"guide": "me"}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        Collaborative.model_validate(wrong)
