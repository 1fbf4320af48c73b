"""How sharply a known teacher speaks, by loops over its distribution."""

from __future__ import annotations

import math
import statistics

import pytest
import torch
from spoken import speak

from recdistill.distill.lookup import lookups
from recdistill.distill.objectives import KL, Align, NextItem
from recdistill.distill.sharpness import entropy, sharpness


def test_entropy_by_hand():
    logits = torch.tensor([[0.0, 0.0], [math.log(3.0), 0.0]])
    wanted = (math.log(2) - 0.75 * math.log(0.75) - 0.25 * math.log(0.25)) / 2
    assert entropy(logits, 1.0) == pytest.approx(wanted, rel=1e-6)
    assert entropy(2 * logits, 2.0) == pytest.approx(wanted, rel=1e-6)


def test_each_term_that_hears_lists_at_its_own_temperatures(signals, tiny_dataset):
    heard = lookups(signals, tiny_dataset, ["top-k", "item-vectors"])
    terms = [NextItem(), KL(temperature={"kind": "linear", "from": 4.0, "to": 1.0}), Align()]
    (found,) = sharpness(terms, heard)
    logits = heard["top-k"].sample(1024)["logits"].double().tolist()
    assert (found.term, found.k, found.temperature) == ("kl", 10, (1.0, 4.0))
    for temperature, told in zip(found.temperature, found.effective, strict=True):
        effects = []
        for row in logits:
            weights = [math.exp(z / temperature) for z in row]
            shares = [weight / sum(weights) for weight in weights]
            effects.append(math.exp(-math.fsum(p * math.log(p) for p in shares)))
        assert told == pytest.approx(statistics.median_low(effects), rel=1e-4)
    masses = [math.fsum(map(math.exp, row)) for row in logits]
    assert found.listed == pytest.approx(statistics.median_low(masses), abs=2e-3)


@pytest.mark.parametrize(
    ("temperature", "compare"), [(1e-3, "higher"), (1e3, "lower"), (1.0, None)]
)
def test_another_temperature_is_advised_where_this_one_silences(
    signals, tiny_dataset, temperature, compare
):
    heard = lookups(signals, tiny_dataset, ["top-k"])
    (found,) = sharpness([KL(temperature=temperature)], heard)
    if compare is None:
        assert found.advised is None
        return
    assert (found.advised > temperature) == (compare == "higher")
    assert sharpness([KL(temperature=found.advised)], heard)[0].advised is None


def test_standardised_lists_are_looked_at_as_the_term_sees_them(tmp_path, tiny_dataset):
    def louder(top_k):
        return {**top_k, "logits": top_k["logits"] * 3}

    heard = lookups(speak(tmp_path, tiny_dataset, change=louder), tiny_dataset, ["top-k"])
    plain, scaled = sharpness([KL(), KL(name="scaled", standardise=True)], heard)
    assert plain.entropy[0] < scaled.entropy[0]
