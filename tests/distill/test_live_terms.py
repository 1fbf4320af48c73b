"""Terms that ask a model inside the step, in the loss of a whole recipe."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from recdistill.distill import Recipe, distill
from recdistill.distill import output as outputs
from recdistill.distill.loss import DistillationLoss
from recdistill.distill.objectives import (
    KL,
    AttentionMap,
    Hint,
    InputGradient,
    NextItem,
    ValueRelation,
)
from recdistill.distill.phases import Phase
from recdistill.distill.speakers import said
from recdistill.errors import ConfigError
from recdistill.models.sasrec import SASRec
from recdistill.signals.kinds import TopK
from recdistill.training.options import RunOptions, TrainingConfig
from recdistill.training.step import Moment

START = Moment(step=0, steps=11, epoch=0, feedback={})
END = Moment(step=10, steps=11, epoch=0, feedback={})
SHORT = TrainingConfig(epochs=1, batch_size=32)


@pytest.fixture
def student(tiny_dataset):
    return made(tiny_dataset, 1, width=8, blocks=2)


@pytest.fixture
def teacher(tiny_dataset):
    return made(tiny_dataset, 2, width=12, blocks=2, heads=2)


def made(dataset, seed, **config):
    model = SASRec.for_dataset(dataset, seed=seed, history=10, dropout=0.0, **config)
    torch.manual_seed(seed)
    with torch.no_grad():
        model.network.items.vectors.normal_(std=0.5)
    return model


def loss_of(student, teacher, *objectives):
    torch.manual_seed(0)
    count = len(student.vocabulary)
    return DistillationLoss(student, objectives, {}, torch.ones(count), teacher=teacher)


def logits_of(model, states=None, batch=None):
    table = model.item_table()
    return ((model.encode(batch, table) if states is None else states) @ table.T).double()


def divergence(theirs, mine, k, temperature=1.0):
    best, items = theirs.detach().topk(k)
    p, q = (best / temperature).softmax(1), (mine.gather(1, items) / temperature).log_softmax(1)
    return (p * (p.log() - q)).sum(1).mean() * temperature**2


def test_a_list_said_inside_the_step_is_heard_like_a_stored_one(student, teacher, batch):
    term = KL.model_validate({"of": {"kind": "teacher", "k": 7}, "temperature": 2.0, "weight": 0.5})
    found = loss_of(student, teacher, term)(batch, START)
    wanted = divergence(logits_of(teacher, batch=batch), logits_of(student, batch=batch), 7, 2.0)
    torch.testing.assert_close(found.total.double(), 0.5 * wanted, rtol=1e-4, atol=1e-6)


def test_depth_teaches_shallowness(student, batch):
    """Through the exit; what lies behind it is the teacher and learns nothing from this term."""
    term = KL.model_validate({"of": {"kind": "itself", "k": 7}, "head": "exit"})
    found = loss_of(student, None, term)(batch, START)
    hidden = []
    handle = student.network.blocks[0].register_forward_hook(lambda *given: hidden.append(given[2]))
    deep = logits_of(student, batch=batch)
    handle.remove()
    early = torch.nn.functional.layer_norm(hidden[0], (8,))
    wanted = divergence(deep, logits_of(student, early), 7)
    torch.testing.assert_close(found.total.double(), wanted, rtol=1e-4, atol=1e-6)
    found.total.backward()
    learned = {
        name
        for name, value in student.network.named_parameters()
        if value.grad is not None and value.grad.any()
    }
    assert any(name.startswith("blocks.0.") for name in learned)
    assert not any(name.startswith(("blocks.1.", "norm.")) for name in learned)


def test_terms_at_several_heads_add_up(student, teacher, batch):
    terms = [
        NextItem(),
        NextItem.model_validate({"name": "early", "head": "exit", "weight": 0.3}),
        KL.model_validate({"of": "teacher", "head": "auxiliary", "weight": 0.7}),
        KL.model_validate({"name": "plain", "of": "teacher"}),
        Hint(weight=0.2),
    ]
    together = loss_of(student, teacher, *terms)
    found = together(batch, START)
    alone = [loss_of(student, teacher, term)(batch, START) for term in terms[:-1]]
    torch.testing.assert_close(
        found.total,
        sum(one.total for one in alone) + found.terms["hint/weighted"],
        rtol=1e-5,
        atol=1e-6,
    )
    for term, one in zip(terms, alone, strict=False):
        torch.testing.assert_close(
            found.terms[term.label], one.terms[term.label], rtol=1e-4, atol=1e-5
        )
    gradients = torch.autograd.grad(found.total, list(together.parameters()))
    assert all(part.any() for part in gradients), "bridges and doors learn"


def test_a_live_term_is_the_mean_over_positions(student, teacher, batch):
    loss = loss_of(student, teacher, Hint(weight=0.5))
    own = outputs.Output.of(student, batch, watch=True)
    theirs = outputs.Output.of(teacher, batch, watch=True)
    each = Hint()(own, theirs, loss._bridges[0], {})
    found = loss(batch, START)
    torch.testing.assert_close(found.total, 0.5 * each.mean(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.terms["hint"], each.mean().detach(), rtol=1e-5, atol=1e-6)
    found.total.backward()
    assert all(value.grad is None for value in teacher.network.parameters())


def test_what_does_not_count_yet_is_neither_asked_nor_watched(student, teacher, batch, monkeypatch):
    begins = {"kind": "linear", "from": 0.0, "to": 1.0}
    terms = [
        NextItem(),
        Hint.model_validate({"weight": begins}),
        InputGradient.model_validate({"weight": begins}),
    ]
    loss, asked = loss_of(student, teacher, *terms), []
    encode = teacher.encode
    monkeypatch.setattr(
        teacher, "encode", lambda *given, **more: asked.append(1) or encode(*given, **more)
    )
    assert set(loss(batch, START).terms) == {"next-item", "next-item/weighted", "next-item/weight"}
    assert asked == []
    assert "hint" in loss(batch, END).terms
    assert len(asked) == 2


def test_the_average_goes_on_in_training_only(student, batch):
    loss = loss_of(student, None, KL.model_validate({"of": "average"}))
    speaker = loss._voices.of(loss._over_logits[0].of)
    loss(batch, START)
    loss.eval()
    loss(batch, START)
    assert speaker.steps == 1


def test_the_gradients_of_terms_inside_cannot_be_balanced_by_norm():
    for term in ({"kind": "hint"}, {"kind": "next-item", "head": "auxiliary"}):
        with pytest.raises(ValidationError, match="cannot measure"):
            Recipe.model_validate({"objectives": [term], "weighting": {"kind": "gradient-norm"}})


RECIPES = {
    "everything inside": [
        {"kind": "next-item"},
        {"kind": "hint", "layers": "spread"},
        {"kind": "attention-map"},
        {"kind": "value-relation"},
        {"kind": "input-gradient", "rows": 4},
    ],
    "mean teacher": [{"kind": "next-item"}, {"kind": "kl", "of": "average"}],
    "be your own teacher": [
        {"kind": "next-item"},
        {"kind": "kl", "of": "itself", "head": "exit"},
        {"kind": "hint", "of": "itself", "layers": [[0, 1]], "mapping": "none"},
    ],
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_student_learns_inside_the_step(tiny_dataset, teacher, name):
    found = []
    for _ in range(2):
        student = made(tiny_dataset, 1, width=8, blocks=2)
        log = distill(
            student,
            tiny_dataset,
            None,
            {"objectives": RECIPES[name]},
            TrainingConfig(epochs=3, batch_size=16),
            teacher=teacher,
        )
        found.append(student.item_table().detach())
    assert torch.equal(*found)
    first, last = log.epochs[0].losses, log.epochs[-1].losses
    assert {term["kind"] for term in RECIPES[name]} <= set(first)
    assert last["loss"] < first["loss"]


def test_half_precision_changes_little(student, teacher, batch):
    """As on a processor that multiplies bfloat16: models may round, comparisons may not."""
    terms = [NextItem(), Hint(layers="spread"), AttentionMap(), ValueRelation(), InputGradient()]
    heads = ["auxiliary", {"kind": "exit", "block": 0}]
    terms += [
        KL.model_validate({"name": f"kl-{of}-{place}", "of": of, "head": head})
        for of in ("average", "teacher", "itself")
        for place, head in enumerate(heads)
    ]
    found = []
    for enabled in (False, True):
        loss = loss_of(student, teacher, *terms)
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            one = loss(batch, START)
        one.total.backward()
        assert all(part.grad.isfinite().all() for part in loss.parameters() if part.requires_grad)
        found.append(one.terms)
    for term in terms:
        torch.testing.assert_close(
            found[0][term.label], found[1][term.label].float(), rtol=0.05, atol=0.02
        )
    logs = said(outputs.Output.of(teacher, batch), TopK(k=40))["logits"]
    with torch.autocast("cpu", torch.bfloat16):
        rounded = said(outputs.Output.of(teacher, batch), TopK(k=40))["logits"]
    assert rounded.dtype == torch.float32
    assert len(rounded.unique()) > 0.9 * len(logs.unique()), (
        "scores are not rounded to three digits"
    )


def test_another_teacher_is_another_training(tiny_dataset, student, teacher, tmp_path):
    """A checkpoint made beside one teacher is not gone on with beside another."""
    from recdistill.errors import CheckpointError

    run = RunOptions(folder=tmp_path, trackers=())
    recipe = [NextItem(), Hint()]
    distill(student, tiny_dataset, None, recipe, SHORT, run, teacher)
    other = made(tiny_dataset, 9, width=12, blocks=2, heads=2)
    with pytest.raises(CheckpointError):
        distill(
            made(tiny_dataset, 1, width=8, blocks=2), tiny_dataset, None, recipe, SHORT, run, other
        )


def test_what_cannot_be_compared_is_refused_before_the_first_phase(tiny_dataset, student, teacher):
    before = {name: value.clone() for name, value in student.network.state_dict().items()}
    recipe = Recipe(phases=(Phase(), Phase(objectives=(Hint(layers=((0, 5),)),))))
    with pytest.raises(ConfigError, match="layer 5 of the teacher, which has 2"):
        distill(student, tiny_dataset, None, recipe, SHORT, teacher=teacher)
    recipe = Recipe(
        phases=(
            Phase(),
            Phase(objectives=(NextItem.model_validate({"head": {"kind": "exit", "block": 1}}),)),
        )
    )
    with pytest.raises(ConfigError, match="Objective 'next-item' reads after block 1"):
        distill(student, tiny_dataset, None, recipe, SHORT, teacher=teacher)
    with pytest.raises(ConfigError, match="there is no teacher"):
        distill(student, tiny_dataset, None, [Hint()], SHORT)
    assert all(
        torch.equal(value, before[name]) for name, value in student.network.state_dict().items()
    )


def test_the_twin_has_no_side_doors():
    early = NextItem.model_validate({"name": "early", "head": "exit"})
    recipe = Recipe(objectives=(NextItem(), early, KL.model_validate({"of": "itself"}), Hint()))
    assert recipe.untaught() == Recipe()
    assert recipe.asks
    assert recipe.looks_inside
    assert not Recipe(objectives=(NextItem(), KL())).looks_inside
    assert not Recipe(objectives=(early,)).asks
    assert Recipe(objectives=(early,)).looks_inside
