"""`hint` against loops over positions, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from live import bridge_of, check_each_history_alone, check_gradients, losses, model, outputs
from pydantic import ValidationError

from recdistill.distill.objectives import Hint
from recdistill.errors import ConfigError
from recdistill.models.layer_pairs import paired

STUDENT, TEACHER = {"width": 8, "blocks": 2}, {"width": 12, "blocks": 4, "seed": 3}


def test_layers_are_paired_as_they_are_named():
    assert paired("last", 2, 12) == [(1, 11)]
    assert paired("spread", 6, 12) == [(0, 1), (1, 3), (2, 5), (3, 7), (4, 9), (5, 11)]  # PKD-skip
    assert paired("spread", 3, 4) == [(0, 1), (1, 2), (2, 3)]
    assert paired("spread", 4, 2) == [(0, 0), (1, 0), (2, 1), (3, 1)]
    assert paired(((0, 5), (1, 2)), 2, 6) == [(0, 5), (1, 2)]


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("layers", ["last", "spread", [[0, 0], [1, 0], [1, 3]]])
def test_agrees_with_loops(normalise, layers):
    student, teacher = model(**STUDENT), model(**TEACHER)
    objective = Hint.model_validate({"layers": layers, "normalise": normalise})
    bridge = bridge_of(objective, student, teacher)
    own, other = outputs(student, teacher)
    pairs = {"last": [(1, 3)], "spread": [(0, 1), (1, 3)]}.get(str(layers), layers)
    assert len(bridge) == len(pairs)
    wanted = torch.zeros(len(own.batch), dtype=torch.float64)
    for across, (s, t) in zip(bridge, pairs, strict=True):
        for place in range(len(wanted)):
            mine = across.weight @ own.internals.hidden[s][place] + across.bias
            theirs = other.internals.hidden[t][place]
            if normalise:
                wanted[place] += (mine / mine.norm() - theirs / theirs.norm()).norm() ** 2
            else:
                wanted[place] += ((mine - theirs) ** 2).sum() / 12
    found = losses(objective, student, teacher, bridge)
    torch.testing.assert_close(found, wanted / len(pairs))


@pytest.mark.parametrize("normalise", [True, False])
def test_gradients(normalise):
    check_gradients(Hint(normalise=normalise, layers="spread"), model(**STUDENT), model(**TEACHER))


def test_each_history_stands_alone():
    check_each_history_alone(Hint(), model(**STUDENT), model(**TEACHER))


def test_a_student_that_is_its_teacher_has_nothing_to_learn():
    objective = Hint(mapping="none", layers="spread", normalise=False)
    assert bridge_of(objective, model(), model()).state_dict() == {}
    assert losses(objective, model(), model()).abs().max() == 0
    # A teacher who says the same louder is the same teacher, where only directions count.
    loud = model()
    with torch.no_grad():
        loud.network.blocks[1].register_forward_hook(lambda _module, _given, hidden: 3 * hidden)
    by_direction = losses(Hint(mapping="none"), model(), loud)
    torch.testing.assert_close(by_direction, torch.zeros_like(by_direction))


def test_half_precision_is_compared_in_single():
    own, other = outputs(model(**STUDENT), model(**TEACHER))
    for side in (own, other):
        side.internals.hidden[:] = [one.bfloat16() for one in side.internals.hidden]
    bridge = bridge_of(Hint(), model(**STUDENT), model(**TEACHER)).float()
    assert Hint()(own, other, bridge, {}).dtype == torch.float32


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([[2, 0]], "layer 2 of the student, which has 2"),
        ([[0, 9]], "layer 9 of the teacher, which has 4"),
    ],
)
def test_layers_that_are_not_there_are_refused_with_the_nearest(layers, said):
    with pytest.raises(ConfigError, match=said) as refused:
        bridge_of(Hint.model_validate({"layers": layers}), model(**STUDENT), model(**TEACHER))
    assert f"the nearest is {1 if 'student' in said else 3}" in refused.value.hint


def test_a_model_without_layers_is_refused():
    from recdistill.models.internals import Anatomy

    with pytest.raises(ConfigError, match="but the teacher has none"):
        Hint().fit(Anatomy(2, 8, 1), Anatomy(0, 0, 0))


def test_widths_without_a_map_are_refused_with_both():
    with pytest.raises(ConfigError, match=r"width 8 .*width 12") as refused:
        bridge_of(Hint(mapping="none"), model(**STUDENT), model(**TEACHER))
    assert "`width: 12`" in refused.value.hint


@pytest.mark.parametrize(("layers", "blocks"), [("last", 3), ([[2, 1]], 3), ("last", 1)])
def test_depth_cannot_be_taught_by_what_is_no_deeper(layers, blocks):
    alone = model(blocks=blocks)
    objective = Hint.model_validate({"of": "itself", "layers": layers})
    with pytest.raises(ConfigError, match="is no deeper") as refused:
        bridge_of(objective, alone, alone)
    assert ("[[0, 2]]" if blocks > 1 else "more `blocks`") in refused.value.hint
    if blocks > 1:
        bridge_of(Hint.model_validate({"of": "itself", "layers": [[0, 2]]}), alone, alone)


def test_no_pairs_and_no_numbers_are_refused():
    for layers in ([], [[0]], [[-1, 0]], "first"):
        with pytest.raises(ValidationError):
            Hint.model_validate({"layers": layers})
