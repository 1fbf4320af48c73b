"""Side doors of training: where they begin, what reaches the student through them, and which do not exist."""

from __future__ import annotations

import pytest
import torch
from live import batch_of, model
from pydantic import ValidationError
from torch.nn import functional as F  # noqa: N812

from recdistill.distill.doors import Doors
from recdistill.distill.heads import Auxiliary, Exit, Served
from recdistill.distill.objectives import KL, NextItem
from recdistill.distill.output import Output
from recdistill.errors import ConfigError
from recdistill.models.internals import Anatomy

ARANGE = torch.arange(64, dtype=torch.float64).reshape(8, 8) / 10


def read(head, made, batch):
    doors = Doors([head], 8, 8).double()
    return doors, doors.read(head, Output.of(made, batch, watch=head.watches))


def test_a_name_is_enough():
    assert KL().head == Served()
    assert KL.model_validate({"head": "auxiliary"}).head == Auxiliary()
    assert NextItem.model_validate({"head": {"kind": "exit", "block": 1}}).head == Exit(block=1)
    with pytest.raises(ValidationError):
        KL.model_validate({"head": "side"})


def test_the_served_head_is_the_student_and_learns_nothing():
    made, batch = model(), batch_of()
    doors, states = read(Served(), made, batch)
    assert torch.equal(states, made.encode(batch))
    assert list(doors.parameters()) == []


def test_an_auxiliary_head_begins_as_the_served_one_and_may_go_its_way():
    made, batch = model(), batch_of()
    doors, states = read(Auxiliary(), made, batch)
    torch.testing.assert_close(states, made.encode(batch))
    (weight, bias) = doors.parameters()
    with torch.no_grad():
        weight.copy_(ARANGE)
        bias.fill_(0.5)
    h = made.encode(batch)
    wanted = h + h @ ARANGE.T + 0.5
    found = doors.read(Auxiliary(), Output.of(made, batch))
    torch.testing.assert_close(found, wanted)
    trunk = torch.autograd.grad(found.square().sum(), made.network.blocks[0].narrow.weight)
    assert trunk[0].any(), "the shared trunk learns through it"


@pytest.mark.parametrize("block", [0, 1])
def test_an_exit_is_the_normalised_state_after_its_block(block):
    made, batch = model(blocks=3), batch_of()
    _, states = read(Exit(block=block), made, batch)
    shallow = model(blocks=3)
    shallow.network.blocks = shallow.network.blocks[: block + 1]
    shallow.network.norm = torch.nn.Identity()
    torch.testing.assert_close(states, F.layer_norm(shallow.encode(batch), (8,)))
    deeper = torch.autograd.grad(
        states.square().sum(),
        [made.network.blocks[block + 1].narrow.weight, made.network.blocks[block].narrow.weight],
        allow_unused=True,
    )
    assert deeper[0] is None, "what lies behind the exit does not learn through it"
    assert deeper[1] is not None


def test_terms_at_one_head_share_what_it_learns():
    heads = [Auxiliary(), Exit(), Auxiliary(), Served(), Exit(block=1)]
    doors = Doors(heads, 8, 8)
    assert len(list(doors.parameters())) == 2 + 4 + 4


@pytest.mark.parametrize(
    ("block", "blocks", "hint"), [(1, 2, "at most 0"), (5, 3, "at most 1"), (0, 1, "`blocks`")]
)
def test_an_exit_that_is_not_there_is_refused(block, blocks, hint):
    with pytest.raises(ConfigError, match=f"after block {block}, .* is {blocks}: ") as refused:
        Exit(block=block).check(Anatomy(blocks, 8, 1), "It")
    assert hint in refused.value.hint
