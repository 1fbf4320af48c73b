"""The look at the teacher: what it refuses, what it advises, and that its numbers are right."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from spoken import speak, write

from recdistill.distill.lookup import lookups
from recdistill.distill.objectives import KL, Align, NextItem
from recdistill.distill.objectives.temperatures import effective, temperature_for
from recdistill.distill.recipe import Recipe
from recdistill.distill.scrutiny import advice, scrutinise
from recdistill.errors import SignalError
from recdistill.signals import ItemVectors, Signals


def advised(folder, dataset, objective, **spoken):
    signals = speak(folder, dataset, **spoken)
    return scrutinise([NextItem(), objective], lookups(signals, dataset, [objective.on]))


def scaled(factor):
    return lambda said: {**said, "logits": (said["logits"] * factor).astype(np.float16)}


def test_a_healthy_teacher_needs_no_advice(tiny_dataset, tmp_path):
    assert advised(tmp_path, tiny_dataset, KL()) == []


def test_the_advice_can_be_had_again_without_training(tiny_dataset, tmp_path):
    signals = speak(tmp_path, tiny_dataset)
    recipe = Recipe.of([NextItem(), KL(temperature=50.0)])
    (line,) = advice(recipe, tiny_dataset, signals)
    assert line.startswith("Objective 'kl': at temperature 50 the teacher is all but flat")
    assert advice(Recipe(), tiny_dataset, signals) == []


def test_a_one_hot_teacher_is_told_a_temperature_that_helps(tiny_dataset, tmp_path):
    (line,) = advised(tmp_path, tiny_dataset, KL(), change=scaled(60))
    assert "all but one-hot" in line
    told = float(line.split("about ")[1].rstrip("."))
    assert told > 5
    assert not [
        text
        for text in advised(tmp_path / "b", tiny_dataset, KL(temperature=told), change=scaled(60))
        if "one-hot" in text
    ]


def test_a_flat_teacher_is_told_a_lowertemperature_for(tiny_dataset, tmp_path):
    (line,) = advised(tmp_path, tiny_dataset, KL(temperature=50.0))
    assert "all but flat" in line
    assert 0 < float(line.split("about ")[1].rstrip(".")) < 50


def test_a_schedule_is_looked_at_where_it_is_lowest_and_highest(tiny_dataset, tmp_path):
    objective = KL.model_validate({"temperature": {"kind": "linear", "from": 50.0, "to": 0.01}})
    told = advised(tmp_path, tiny_dataset, objective)
    assert "at temperature 0.01" in told[0]
    assert "at temperature 50" in told[1]


def test_underflow_is_told_where_the_head_is_not_one_hot(tiny_dataset, tmp_path):
    def cliff(said):
        logits = said["logits"].copy()
        logits[:, :3], logits[:, 3:] = 0, -200
        return {**said, "logits": logits}

    (line,) = advised(tmp_path, tiny_dataset, KL(), change=cliff)
    assert "spread over 200, which underflows at temperature 1; use at least 2.5" in line


def test_a_list_that_holds_little_is_told(tiny_dataset, tmp_path):
    def faint(said):
        return {**said, "rest": np.full_like(said["rest"], np.log(0.98))}

    (line,) = advised(tmp_path, tiny_dataset, KL(), change=faint)
    assert "10 items listed hold 2.0 % of the teacher's probability" in line
    objective = KL(rest="bucket")
    assert advised(tmp_path / "b", tiny_dataset, objective, change=faint) == []


def test_a_teacher_that_says_the_same_of_everything_is_refused(tiny_dataset, tmp_path):
    with pytest.raises(SignalError, match=r"say the same: logits of -?0"):
        advised(tmp_path, tiny_dataset, KL(), change=scaled(0))


def test_a_list_of_one_item_is_no_constant_teacher(tiny_dataset, tmp_path):
    assert advised(tmp_path, tiny_dataset, KL(rest="bucket"), k=1) == []


def test_numbers_that_are_none_are_refused(tiny_dataset, tmp_path):
    def broken(said):
        logits = said["logits"].copy()
        logits[2, 1] = np.nan
        return {**said, "logits": logits}

    with pytest.raises(SignalError, match=r"not finite in \d+ of"):
        advised(tmp_path, tiny_dataset, KL(), change=broken)


@pytest.mark.parametrize("value", [0.0, 2.5])
def test_equal_vectors_are_refused(tiny_dataset, tmp_path, value):
    vectors = np.full((tiny_dataset.num_items, 12), value, dtype=np.float32)
    write(tmp_path, tiny_dataset, ItemVectors(), tiny_dataset.item_keys, {"vectors": vectors})
    found = lookups(Signals.open(tmp_path), tiny_dataset, ["item-vectors"])
    with pytest.raises(SignalError, match="item-vectors"):
        scrutinise([Align()], found)


def test_the_effective_number_of_items_is_the_exponential_of_the_entropy():
    logits = torch.randn(1, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wanted = np.exp(entropy(torch.softmax(logits / 2, -1)[0].numpy()))
    assert effective(logits, 2.0) == pytest.approx(wanted)
    assert effective(torch.zeros(3, 8), 1.0) == pytest.approx(8)
    assert effective(logits, temperature_for(logits, 4.0)) == pytest.approx(4.0, rel=1e-6)
