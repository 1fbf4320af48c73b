"""`magnitude` against loops over positions."""

from __future__ import annotations

import pytest
import torch
from live import check_each_history_alone, check_gradients, losses, model, outputs

from recdistill.distill.objectives import Hint, Magnitude
from recdistill.errors import ConfigError
from recdistill.models.layer_pairs import paired

STUDENT, TEACHER = {"width": 8, "blocks": 2}, {"width": 12, "blocks": 4, "seed": 3}


@pytest.mark.parametrize("layers", ["last", "spread"])
def test_agrees_with_loops(layers):
    student, teacher = model(**STUDENT), model(**TEACHER)
    own, other = outputs(student, teacher)
    pairs = paired(layers, 2, 4)
    wanted = torch.zeros(len(own.batch), dtype=torch.float64)
    for s, t in pairs:
        for place in range(len(wanted)):
            mine = (sum(x**2 for x in own.internals.hidden[s][place].tolist()) / 8) ** 0.5
            theirs = (sum(x**2 for x in other.internals.hidden[t][place].tolist()) / 12) ** 0.5
            wanted[place] += (mine - theirs) ** 2 / len(pairs)
    found = losses(Magnitude.model_validate({"layers": layers}), student, teacher)
    torch.testing.assert_close(found, wanted)


def test_gradients_and_histories_alone():
    check_gradients(Magnitude(layers="spread"), model(**STUDENT), model(**TEACHER))
    check_each_history_alone(Magnitude(), model(**STUDENT), model(**TEACHER))


def test_a_louder_teacher_is_another_where_hints_see_none():
    loud = model()
    loud.network.blocks[1].register_forward_hook(lambda _module, _given, hidden: 3 * hidden)
    assert losses(Magnitude(), model(), model()).abs().max() == 0
    assert losses(Hint(mapping="none"), model(), loud).abs().max() < 1e-12
    assert losses(Magnitude(), model(), loud).min() > 0.01


def test_layers_that_are_not_there_are_refused():
    with pytest.raises(ConfigError, match="asks for layer 4 of the teacher"):
        losses(Magnitude(layers=((0, 4),)), model(**STUDENT), model(**TEACHER))
