"""`attention-map` and `value-relation` against loops over histories, heads, positions and what they see."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from live import (
    ROWS,
    batch_of,
    bridge_of,
    check_each_history_alone,
    check_gradients,
    losses,
    model,
    outputs,
)
from pydantic import ValidationError

from recdistill.distill.objectives import AttentionMap, ValueRelation
from recdistill.distill.objectives.attending import averaged, relations
from recdistill.errors import ConfigError
from recdistill.models.attention_maps import map_divergence

STUDENT = {"width": 8, "blocks": 2, "heads": 2}
TEACHER = {"width": 12, "blocks": 3, "heads": 3, "seed": 3}
SAME = {"width": 12, "blocks": 1, "heads": 2, "seed": 5}


def softmax(scores):
    highest = max(scores)
    powers = [math.exp(score - highest) for score in scores]
    return [power / sum(powers) for power in powers]


def rows_of(side, block, left, right, heads):
    """`rows[history][head][position]`: probabilities over what the position sees."""
    parts = side.internals.parts[block].detach()
    pieces, first = [], 0
    for length in sorted(map(len, ROWS)):
        pieces.append(parts[first : first + length])
        first += length
    return [
        [
            [
                softmax(
                    [
                        float(
                            cut(piece[place, left], heads)[head]
                            @ cut(piece[seen, right], heads)[head]
                        )
                        / math.sqrt(cut(piece[place, left], heads).shape[1])
                        for seen in range(place + 1)
                    ]
                )
                for place in range(len(piece))
            ]
            for head in range(heads)
        ]
        for piece in pieces
    ]


def cut(vector, heads):
    return vector.reshape(heads, -1)


def average(rows):
    """One head that is the mean of all."""
    return [
        [
            [
                [sum(column) / len(heads) for column in zip(*place, strict=True)]
                for place in zip(*heads, strict=True)
            ]
        ]
        for heads in rows
    ]


def divergence(teacher, student):
    return sum(p * math.log(p / q) for p, q in zip(teacher, student, strict=True))


def squares(teacher, student):
    return sum((p - q) ** 2 for p, q in zip(teacher, student, strict=True))


def compare(distance, teacher, student):
    """The mean over heads at each position, history after history."""
    return torch.tensor(
        [
            sum(distance(t[place], s[place]) for t, s in zip(theirs, mine, strict=True)) / len(mine)
            for theirs, mine in zip(teacher, student, strict=True)
            for place in range(len(mine[0]))
        ],
        dtype=torch.float64,
    )


@pytest.mark.parametrize("positions", ["learned", "rotary"])
@pytest.mark.parametrize(("distance", "reference"), [("kl", divergence), ("mse", squares)])
def test_maps_averaged_over_heads_agree_with_loops(positions, distance, reference):
    student, teacher = model(**STUDENT, positions=positions), model(**TEACHER)
    own, other = outputs(student, teacher)
    mine, theirs = average(rows_of(own, 1, 0, 1, 2)), average(rows_of(other, 2, 0, 1, 3))
    found = losses(AttentionMap(distance=distance), student, teacher)
    torch.testing.assert_close(found, compare(reference, theirs, mine))


def test_maps_head_by_head_agree_with_loops():
    student, teacher = model(**STUDENT), model(**SAME)
    own, other = outputs(student, teacher)
    wanted = [
        compare(divergence, rows_of(other, 0, 0, 1, 2), rows_of(own, block, 0, 1, 2))
        for block in (0, 1)
    ]
    objective = AttentionMap.model_validate({"heads": "match", "layers": [[0, 0], [1, 0]]})
    found = losses(objective, student, teacher)
    torch.testing.assert_close(found, (wanted[0] + wanted[1]) / 2)


@pytest.mark.parametrize("positions", ["learned", "rotary"])
def test_relations_agree_with_loops(positions):
    """Of models with other widths and head counts, cut anew into four."""
    student, teacher = model(**STUDENT, positions=positions), model(**TEACHER)
    own, other = outputs(student, teacher)
    sides = {"query-query": (0, 0), "key-key": (1, 1), "value-value": (2, 2), "query-key": (0, 1)}
    each = {
        name: compare(divergence, rows_of(other, 2, *pair, 4), rows_of(own, 1, *pair, 4))
        for name, pair in sides.items()
    }
    for name, wanted in each.items():
        found = losses(ValueRelation(relations=(name,)), student, teacher)
        torch.testing.assert_close(found, wanted)
    default = ValueRelation()
    assert default.relations == ("query-query", "key-key", "value-value")
    wanted = sum(each[name] for name in default.relations) / 3
    torch.testing.assert_close(losses(default, student, teacher), wanted)


def test_queries_and_keys_of_the_heads_themselves_are_the_attention_map():
    student, teacher = model(**STUDENT), model(**SAME)
    relation = ValueRelation(relations=("query-key",), relation_heads=2)
    maps = AttentionMap(heads="match")
    torch.testing.assert_close(losses(relation, student, teacher), losses(maps, student, teacher))


OBJECTIVES = [
    AttentionMap(),
    AttentionMap(distance="mse", layers="spread"),
    ValueRelation(layers="spread"),
    ValueRelation(relations=("query-key",), relation_heads=1),
]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradients(objective):
    check_gradients(objective, model(**STUDENT), model(**TEACHER))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_each_history_stands_alone(objective):
    check_each_history_alone(objective, model(**STUDENT), model(**TEACHER))


@pytest.mark.parametrize("objective", [*OBJECTIVES, AttentionMap(heads="match")])
def test_a_student_that_is_its_teacher_has_nothing_to_learn(objective):
    found = losses(objective, model(), model())
    torch.testing.assert_close(found, torch.zeros_like(found))
    assert bridge_of(objective, model(), model()).state_dict() == {}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_future_does_not_matter(objective):
    """A loss is that of a position and of what it sees; a history's first position sees nothing else."""
    student, teacher = model(**STUDENT), model(**TEACHER)
    whole = losses(objective, student, teacher, batch=batch_of([[3, 1, 4, 1, 5]]))
    begun = losses(objective, student, teacher, batch=batch_of([[3, 1, 4, 9]]))
    torch.testing.assert_close(whole[:3], begun[:3])
    assert (whole[1:] > 0).all()
    assert whole[0].abs() < 1e-12


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_maps_are_distributions_and_their_divergence_one(length, heads, depth, seed):
    generator = torch.Generator().manual_seed(seed)
    draws = [
        torch.randn(2, length, heads, depth, generator=generator, dtype=torch.float64) * 3
        for _ in range(4)
    ]
    mine, theirs = relations(*draws[:2]), relations(*draws[2:])
    ones = torch.ones(2, heads, length, dtype=torch.float64)
    torch.testing.assert_close(mine.exp().tril().sum(-1), ones)
    torch.testing.assert_close(averaged(mine).exp().tril().sum(-1), ones[:, :1])
    assert (map_divergence(mine, theirs) > -1e-12).all()
    # Divergence is convex: averaged heads are never further apart than heads are on average.
    apart = map_divergence(mine, theirs).mean(1)
    assert (map_divergence(averaged(mine), averaged(theirs))[:, 0] <= apart + 1e-12).all()


@given(st.integers(0, 2**32 - 1))
def test_a_turned_space_has_the_same_relations(seed):
    generator = torch.Generator().manual_seed(seed)
    sides = [torch.randn(2, 4, 2, 3, generator=generator, dtype=torch.float64) for _ in range(2)]
    basis, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))
    torch.testing.assert_close(relations(*(side @ basis for side in sides)), relations(*sides))


def test_half_precision_and_extreme_scores_stay_finite():
    own, other = outputs(model(**STUDENT), model(**TEACHER))
    for side, factor in ((own, 300.0), (other, 1.0)):
        side.internals.parts[:] = [(one * factor).bfloat16() for one in side.internals.parts]
    for objective in OBJECTIVES:
        found = objective(own, other, torch.nn.Identity(), {})
        assert found.dtype == torch.float32
        assert found.isfinite().all()
        gradients = torch.autograd.grad(found.sum(), own.model.network.blocks[0].attention.inward.weight,
                                        retain_graph=True, allow_unused=True)  # fmt: skip
        assert all(one is None or one.isfinite().all() for one in gradients)


def test_heads_that_have_no_counterpart_are_refused_with_both_counts():
    with pytest.raises(ConfigError, match="has 2 and the teacher 3") as refused:
        bridge_of(AttentionMap(heads="match"), model(**STUDENT), model(**TEACHER))
    assert "`heads: 3`" in refused.value.hint
    assert "`heads: average`" in refused.value.hint


@pytest.mark.parametrize(("asked", "nearest"), [(5, 4), (3, 2), (48, 4)])
def test_relation_heads_that_do_not_divide_are_refused_with_the_nearest(asked, nearest):
    with pytest.raises(
        ConfigError, match=f"{asked} relation heads.* 8 wide and the teacher 12"
    ) as refused:
        bridge_of(ValueRelation(relation_heads=asked), model(**STUDENT), model(**TEACHER))
    assert f"`relation_heads: {nearest}`" in refused.value.hint
    assert refused.value.hint.endswith("1, 2, 4.")


@pytest.mark.parametrize("objective", [AttentionMap, ValueRelation])
def test_layers_are_looked_for(objective):
    with pytest.raises(ConfigError, match="layer 7 of the teacher, which has 3"):
        bridge_of(objective(layers=((0, 7),)), model(**STUDENT), model(**TEACHER))


def test_no_relation_is_refused():
    with pytest.raises(ValidationError, match="at least 1"):
        ValueRelation(relations=())
