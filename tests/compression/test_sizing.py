"""How much goes for a target, against counting by hand and by torch's own counter."""

from __future__ import annotations

import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from recdistill.compression.settings import Pruning, Structure, Weights
from recdistill.compression.sizing import operations, parameters, reduced, target, within
from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import ConfigError
from recdistill.models.sasrec import BlockShape, SASRec, SASRecConfig, Shape

CATALOGUE = Vocabulary(pl.Series(range(50)))
WHOLE = SASRecConfig(width=8, blocks=2, heads=4, widening=2, history=6)


def pruned(width: int, *blocks: tuple[int, int]) -> SASRecConfig:
    shapes = tuple(BlockShape(heads=heads, inner=inner) for heads, inner in blocks)
    return WHOLE.model_copy(update={"pruned": Shape(width=width, blocks=shapes)})


def by_hand(config: SASRecConfig) -> int:
    """Matrix by matrix."""
    outer, width, count = config.width, config.shape.width, 0
    for block in config.shape.blocks:
        mixed = block.heads * (config.width // config.heads)
        count += 3 * mixed * (outer + 1) + outer * (mixed + 1)  # queries, keys, values; the way out
        count += block.inner * (outer + 1) + outer * (block.inner + 1)  # the net
        count += 4 * outer  # two norms
    count += len(CATALOGUE) * width + config.history * outer + 2 * outer + width  # start
    return count + (2 * width * outer if width < outer else 0)


@pytest.mark.parametrize("config", [WHOLE, pruned(3, (2, 5), (1, 7)), pruned(8, (1, 1))])
def test_parameters_are_all_numbers_a_model_keeps(config):
    assert parameters(config, CATALOGUE) == by_hand(config)
    kept = SASRec(config, CATALOGUE).network.state_dict().values()
    assert parameters(config, CATALOGUE) == sum(value.numel() for value in kept)


@pytest.mark.parametrize("config", [WHOLE, pruned(3, (2, 5), (1, 7)), pruned(8, (1, 1))])
def test_operations_are_what_torch_counts(config):
    """In double precision, by plain products: the counter does not know oneDNN's, nor fused attention on a CPU."""
    model = SASRec(config, CATALOGUE)
    model.network.double()
    history = Sequences.from_lists([list(range(config.history))])
    with (
        FlopCounterMode(display=False) as counter,
        torch.no_grad(),
        sdpa_kernel(SDPBackend.MATH),
    ):
        model.score(model.states(history))
    assert operations(config, CATALOGUE) == counter.get_total_flops()


@settings(max_examples=10)
@given(
    share=st.floats(0.15, 0.95),
    what=st.sampled_from(["parameters", "operations"]),
    parts=st.lists(
        st.sampled_from(["width", "units", "heads", "blocks"]), min_size=2, max_size=4, unique=True
    ),
)
def test_the_target_is_met_and_no_larger_share_meets_it(share, what, parts):
    measure = {"parameters": parameters, "operations": operations}[what]
    wanted = Structure.model_validate({what: share, "parts": parts})
    try:
        found = target(WHOLE, CATALOGUE, wanted)
    except ConfigError:
        least = WHOLE.model_copy(update={"pruned": reduced(WHOLE.shape, parts, 0.0)})
        assert measure(least, CATALOGUE) > share * measure(WHOLE, CATALOGUE)
        return
    most = share * measure(WHOLE, CATALOGUE)
    assert measure(found, CATALOGUE) <= most
    for step in range(1, 16):  # as fine as the finest count here
        shape = reduced(WHOLE.shape, parts, step / 16)
        larger = WHOLE.model_copy(update={"pruned": shape})
        room = within(shape, found.shape) == found.shape and shape != found.shape
        if room and shape.width < WHOLE.width:  # a full width drops both maps, and may count less
            assert measure(larger, CATALOGUE) > most


def test_a_student_that_is_small_enough_stays_as_it_is():
    wanted = Structure(parameters=0.5)
    once = target(WHOLE, CATALOGUE, wanted)
    assert target(once, CATALOGUE, wanted) == once
    smaller = target(once, CATALOGUE, Structure(parameters=0.3))
    assert parameters(smaller, CATALOGUE) <= 0.3 * parameters(WHOLE, CATALOGUE)
    assert within(smaller.shape, once.shape) == smaller.shape


def test_what_is_out_of_reach_is_refused_with_what_is_not():
    with pytest.raises(ConfigError, match=r"(?s)0\.1 of its parameters.*add to `parts`"):
        target(WHOLE, CATALOGUE, Structure(parameters=0.1, parts=("units",)))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "`parameters` or `operations`"),
        ({"parameters": 0.5, "operations": 0.5}, "one target"),
        ({"parameters": 1.0}, "less than 1"),
        ({"kind": "weights"}, "keep"),
        ({"parameters": 0.5, "parts": []}, "at least 1"),
    ],
)
def test_a_target_is_one_share(given, said):
    with pytest.raises(ValidationError, match=said):
        TypeAdapter(Pruning).validate_python(given)


def test_structure_is_meant_unless_said():
    read = TypeAdapter(Pruning).validate_python
    assert read({"parameters": 0.5}) == Structure(parameters=0.5)
    assert read({"kind": "weights", "keep": 0.5}) == Weights(keep=0.5)


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ({"width": 9, "blocks": [{"heads": 1, "inner": 1}]}, "wider or deeper"),
        ({"width": 8, "blocks": [{"heads": 1, "inner": 1}] * 3}, "wider or deeper"),
        ({"width": 8, "blocks": []}, "at least 1"),
    ],
)
def test_pruning_leaves_no_more_than_there_was(left, said):
    with pytest.raises(ValidationError, match=said):
        SASRecConfig.model_validate({"width": 8, "blocks": 2, "pruned": left})
