"""`kl` against dense float64 references, its algebra, and its refusals."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from logit_objectives import (
    ITEMS,
    check_chunks,
    check_contract,
    check_gradients,
    each,
    student,
    top_k,
)
from pydantic import ValidationError
from scipy.stats import zscore

from recdistill.distill.objectives.kl import KL
from recdistill.errors import ConfigError
from recdistill.signals.kinds import TopK

DIRECTIONS = ["forward", "reverse", "skew", "skew-reverse", "jensen-shannon"]
SKEW = 0.1


def dense_divergence(direction, p, q):
    """Loops over probabilities; 0 log 0 = 0."""

    def relative(a, b):
        return sum(x * math.log(x / y) for x, y in zip(a, b, strict=True) if x > 0)

    if direction == "forward":
        return relative(p, q)
    if direction == "reverse":
        return relative(q, p)
    if direction == "skew":
        return relative(p, mixed(p, q, SKEW))
    if direction == "skew-reverse":
        return relative(q, mixed(q, p, SKEW))
    m = mixed(p, q, 0.5)
    return (relative(p, m) + relative(q, m)) / 2


def mixed(p, q, share):
    return [share * x + (1 - share) * y for x, y in zip(p, q, strict=True)]


def softmax(scores, temperature):
    exponentials = [math.exp(score / temperature) for score in scores]
    return [value / sum(exponentials) for value in exponentials]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_renormalised_against_loops(direction, temperature):
    states, table = student()
    signal, _ = top_k()
    found = each(KL(direction=direction, temperature=temperature), states, table, signal)
    logits = states @ table.T
    for row, loss in enumerate(found.tolist()):
        q = softmax(logits[row, signal["items"][row]].tolist(), temperature)
        p = softmax(signal["logits"][row].tolist(), temperature)
        assert loss == pytest.approx(temperature**2 * dense_divergence(direction, p, q), abs=1e-12)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_bucket_against_loops(direction, temperature):
    states, table = student()
    signal, teacher = top_k(temperature=temperature)
    objective = KL(direction=direction, temperature=temperature, rest="bucket")
    found = each(objective, states, table, signal)
    logits = states @ table.T
    for row, loss in enumerate(found.tolist()):
        items = signal["items"][row].tolist()
        p = softmax(teacher[row].tolist(), temperature)
        q = softmax(logits[row].tolist(), temperature)
        p = [p[item] for item in items] + [1 - sum(p[item] for item in items)]
        q = [q[item] for item in items] + [1 - sum(q[item] for item in items)]
        assert loss == pytest.approx(temperature**2 * dense_divergence(direction, p, q), abs=1e-9)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("rest", ["renormalise", "bucket"])
def test_all_items_listed_is_the_exact_divergence(direction, rest):
    states, table = student()
    signal, teacher = top_k(k=ITEMS)
    assert (signal["rest"] == -torch.inf).all()
    found = each(KL(direction=direction, rest=rest), states, table, signal)
    logits = states @ table.T
    for row, loss in enumerate(found.tolist()):
        wanted = dense_divergence(
            direction, softmax(teacher[row].tolist(), 1.0), softmax(logits[row].tolist(), 1.0)
        )
        assert loss == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("rest", ["renormalise", "bucket"])
def test_gradients_by_finite_differences_and_in_chunks(direction, rest):
    signal, _ = top_k()
    objective = KL(direction=direction, rest=rest)
    assert check_gradients(objective, signal)
    check_chunks(objective, signal)


def test_gradients_stay_finite_when_everything_is_listed():
    signal, _ = top_k(k=ITEMS)
    for direction in DIRECTIONS:
        states, table = (part.requires_grad_() for part in student())
        each(KL(direction=direction, rest="bucket"), states, table, signal).sum().backward()
        assert states.grad.isfinite().all()


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("rest", ["renormalise", "bucket"])
def test_zero_where_the_student_is_the_teacher(direction, rest):
    states, table = student()
    logits = states @ table.T
    best, items = logits.topk(4)
    others = torch.logsumexp(logits.scatter(1, items, -torch.inf), dim=1)
    signal = {"items": items, "logits": best, "rest": others}
    assert each(KL(direction=direction, rest=rest), states, table, signal).abs().max() < 1e-12


def assert_alike(one, other):
    """Two ways of saying the same teach the same."""
    states, table = student()
    for rest in ("renormalise", "bucket"):
        taught = (each(KL(rest=rest), states, table, signal) for signal in (one, other))
        torch.testing.assert_close(*taught)


@settings(deadline=None, max_examples=25)
@given(st.floats(-50, 50))
def test_a_shift_of_the_teachers_logits_changes_nothing(shift):
    signal, _ = top_k()
    moved = {**signal, "logits": signal["logits"] + shift, "rest": signal["rest"] + shift}
    assert_alike(moved, signal)


def test_the_order_of_the_listed_items_does_not_matter():
    signal, _ = top_k()
    order = torch.tensor([3, 1, 4, 0, 2])
    shuffled = {
        "items": signal["items"][:, order],
        "logits": signal["logits"][:, order],
        "rest": signal["rest"],
    }
    assert_alike(shuffled, signal)


def test_a_high_temperature_is_the_squared_error_of_centred_logits():
    """T² · KL → ‖z̃_S − z̃_T‖² / (2k) as T → ∞ (Hinton et al. 2015, section 2.1)."""
    states, table = student()
    signal, _ = top_k()
    logits = (states @ table.T).gather(1, signal["items"])
    difference = logits - signal["logits"]
    difference = difference - difference.mean(1, keepdim=True)
    wanted = difference.square().mean(1) / 2
    for direction, factor in (("forward", 1.0), ("reverse", 1.0), ("jensen-shannon", 0.25)):
        found = each(KL(direction=direction, temperature=1e4), states, table, signal)
        torch.testing.assert_close(found, factor * wanted, rtol=1e-3, atol=1e-6)


def test_the_factor_keeps_gradients_of_one_size():
    """Without T² the gradient would fall as 1/T²; with it, it settles."""
    sizes = []
    signal, _ = top_k()
    for temperature in (20.0, 40.0, 80.0):
        states, table = (part.requires_grad_() for part in student())
        each(KL(temperature=temperature), states, table, signal).sum().backward()
        sizes.append(states.grad.norm().item())
    assert sizes[1] == pytest.approx(sizes[0], rel=0.1)
    assert sizes[2] == pytest.approx(sizes[1], rel=0.05)


def test_the_bucket_minds_mass_outside_the_list_and_renormalising_does_not():
    """A student that agrees within the list but puts its mass elsewhere is told so by the
    bucket."""
    states = torch.eye(1, 4, dtype=torch.float64)
    table = torch.zeros(ITEMS, 4, dtype=torch.float64)
    table[:3, 0] = torch.tensor([2.0, 1.0, 0.0])
    table[5, 0] = 8.0
    signal = {
        "items": torch.tensor([[0, 1, 2]]),
        "logits": torch.tensor([[2.0, 1.0, 0.0]], dtype=torch.float64),
        "rest": torch.tensor([-3.0], dtype=torch.float64),
    }
    assert each(KL(), states, table, signal).item() == pytest.approx(0, abs=1e-12)
    assert each(KL(rest="bucket"), states, table, signal).item() > 3


def test_bucket_needs_the_signals_own_temperature():
    signals = TopK(k=10, temperature=2.0)
    KL(rest="bucket", temperature=2.0).check(signals)
    KL(rest="renormalise", temperature=5.0).check(signals)
    with pytest.raises(ConfigError, match=r"temperature 1, but the signals keep it at 2") as caught:
        KL(rest="bucket").check(signals)
    assert "temperature: 2" in caught.value.hint
    moving = {"kind": "linear", "from": 2.0, "to": 1.0}
    with pytest.raises(ConfigError, match=r"temperature 1 … 2"):
        KL.model_validate({"rest": "bucket", "temperature": moving}).check(signals)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_standardised_compares_z_scores(temperature):
    states, table = student()
    signal, _ = top_k()
    found = each(KL(standardise=True, temperature=temperature), states, table, signal)
    ours = zscore((states @ table.T).gather(1, signal["items"]).numpy(), axis=1)
    theirs = zscore(signal["logits"].numpy(), axis=1)
    for row, loss in enumerate(found.tolist()):
        p, q = softmax(theirs[row], temperature), softmax(ours[row], temperature)
        wanted = temperature**2 * dense_divergence("forward", p, q)
        assert loss == pytest.approx(wanted, abs=1e-12)


@settings(deadline=None, max_examples=25)
@given(st.floats(0.1, 20), st.floats(-30, 30))
def test_standardised_is_blind_to_the_teachers_scale(factor, shift):
    states, table = student()
    signal, _ = top_k()
    moved = {**signal, "logits": factor * signal["logits"] + shift}
    objective = KL(standardise=True)
    torch.testing.assert_close(
        each(objective, states, table, moved), each(objective, states, table, signal)
    )


def test_standardised_takes_advice_from_z_scores():
    """A teacher that is one-hot as it is may be heard once standardised."""
    signal, _ = top_k(k=ITEMS)
    sharp = {**signal, "logits": 100 * signal["logits"], "rest": torch.full((7,), -3.0)}
    assert any("one-hot" in said for said in KL().advice(sharp))
    assert not any("one-hot" in said for said in KL(standardise=True).advice(sharp))


def test_standardising_a_bucket_is_refused():
    with pytest.raises(ValidationError, match="use `rest: renormalise`"):
        KL(standardise=True, rest="bucket")


def test_contract():
    check_contract(KL(direction="skew", standardise=True))
    check_contract(KL(direction="skew-reverse", rest="bucket"))


def test_only_the_bucket_asks_for_the_whole_catalogue():
    assert not KL().dense
    assert KL(rest="bucket").dense


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0},
        {"temperature": -1.0},
        {"weight": -1},
        {"direction": "sideways"},
        {"on": "item-vectors"},
        {"temprature": 2.0},
        {"skew": 1.0},
        {"skew": -0.1},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        KL.model_validate(wrong)


def test_knobs_follow_their_schedules():
    objective = KL.model_validate(
        {
            "weight": {"kind": "cosine", "from": 1.0, "to": 0.0},
            "temperature": {"kind": "linear", "from": 4.0, "to": 1.0},
        }
    )
    assert objective.knobs(0.5, {}) == {"weight": 0.5, "temperature": 2.5}
