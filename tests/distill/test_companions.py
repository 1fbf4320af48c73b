"""Who speaks inside the step: what they say, against what they would say alone, and who is refused."""

from __future__ import annotations

import polars as pl
import pytest
import torch
from live import batch_of, model, outputs
from pydantic import TypeAdapter, ValidationError

from recdistill.data.vocabulary import Vocabulary
from recdistill.distill.companions import AnyCompanion, Average, Itself, Member, Teacher
from recdistill.distill.objectives import KL, HardLabel, Hint, NextItem
from recdistill.distill.output import Output
from recdistill.distill.speakers import Averaged, said
from recdistill.distill.voices import Voices
from recdistill.errors import ConfigError
from recdistill.models.popularity import Popularity, PopularityConfig
from recdistill.signals.kinds import HardLabel as HardLabelKind
from recdistill.signals.kinds import TopK
from recdistill.teachers.mixture import Mixture

WORDS: TypeAdapter[AnyCompanion] = TypeAdapter(AnyCompanion)


def popularity():
    return Popularity(PopularityConfig(), Vocabulary(pl.Series(range(12))))


def test_a_name_is_enough():
    assert WORDS.validate_python("average") == Average(decay=0.999)
    assert WORDS.validate_python({"kind": "member", "number": 1, "k": 5}) == Member(number=1, k=5)
    with pytest.raises(ValidationError, match="'averag'"):
        WORDS.validate_python("averag")
    for decay in (-0.1, 1.0):
        with pytest.raises(ValidationError):
            Average(decay=decay)


def test_a_term_that_hears_nobody_cannot_name_who_speaks():
    with pytest.raises(ValidationError, match="this term hears nobody"):
        NextItem.model_validate({"of": "average"})


def test_the_teacher_says_what_it_says_alone_and_learns_nothing():
    student, teacher = model(dropout=0.3), model(seed=3, width=12, dropout=0.3)
    teacher.network.train()
    speaker, batch = Teacher().speaker(student, teacher), batch_of()
    own = Output.of(student, batch)
    found = speaker(batch, own, watch=True)
    teacher.network.eval()
    torch.testing.assert_close(found.states, teacher.encode(batch).detach())
    assert torch.equal(found.table, teacher.item_table())
    assert [len(found.internals.hidden), len(found.internals.parts)] == [2, 2]
    assert not found.states.requires_grad
    assert speaker(batch, own, watch=False).internals is None
    assert list(speaker.parameters()) == []
    assert speaker.state_dict() == {}


def test_a_member_is_one_of_an_ensemble_and_a_single_model_its_only_one():
    student, members = model(), [model(seed=1), model(seed=2)]
    mixture = Mixture(members, [1.0, 2.0])
    for number in (0, 1):
        assert Member(number=number).speaker(student, mixture).model is members[number]
    assert Member().speaker(student, members[1]).model is members[1]


def refusals():
    pair = Mixture([model(), popularity()], [1.0, 1.0])
    yield Teacher(), pair, "several models", "number: 0"
    yield Teacher(), popularity(), "no sequence model", "`recommender`"
    yield Teacher(), None, "no teacher", "teacher="
    yield Member(number=2), pair, "number: 2}` .*it has 2", "from 0"
    yield Member(number=1), pair, "no sequence model", "`recommender`"
    yield Member(number=1), model(), "it has 1", "of: teacher"
    yield Member(), None, "no teacher", "teacher="
    yield Teacher(), model(history=5), "sees 5 items of a history, its student 6", "history: 6"
    yield Member(), Mixture([model(history=3)], [1.0]), "sees 3 items", "history: 6"


@pytest.mark.parametrize(("companion", "teacher", "what", "hint"), list(refusals()))
def test_who_is_not_there_or_has_no_inside_is_refused(companion, teacher, what, hint):
    with pytest.raises(ConfigError, match=what) as refused:
        companion.speaker(model(), teacher)
    assert hint in refused.value.hint


def test_a_teacher_may_see_more_than_its_student():
    Teacher().speaker(model(history=5), model(history=50))


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9])
def test_the_average_is_the_formula(decay):
    """θ̄ ← d θ̄ + (1 − d) θ from the fourth step on (at 0.75); before, the plain mean of all steps."""
    student = model()
    student.network.register_buffer("seen", torch.zeros((), dtype=torch.int64))
    speaker = Average(decay=decay).speaker(student, None)
    assert isinstance(speaker, Averaged)
    first = {name: value.clone() for name, value in student.network.named_parameters()}
    assert all(
        torch.equal(value, first[name]) for name, value in speaker.network.named_parameters()
    )
    wanted, generator = {}, torch.Generator().manual_seed(0)
    for step in range(1, 12):
        with torch.no_grad():
            for value in student.network.parameters():
                value += torch.randn(value.shape, generator=generator, dtype=value.dtype)
            student.network.seen += 1
        speaker.follow(student.network)
        share = min(decay, (step - 1) / step)
        for name, value in student.network.named_parameters():
            before = wanted.get(name, torch.zeros_like(value))
            wanted[name] = (share * before + (1 - share) * value).detach()
    for name, value in speaker.network.named_parameters():
        torch.testing.assert_close(value, wanted[name])
        assert not value.requires_grad
    assert speaker.network.seen == 11
    assert speaker.steps == 11
    batch = batch_of()
    found = speaker(batch, Output.of(student, batch), watch=False)
    assert not torch.allclose(found.states, student.encode(batch)) or decay == 0


def test_the_average_is_kept_with_what_is_learned():
    student = model()
    voices = Voices([KL.model_validate({"of": "average"})], student, None)
    names = set(voices.state_dict())
    assert "_speakers.0.steps" in names
    assert {name.removeprefix("_speakers.0.network.") for name in names} > set(
        student.network.state_dict()
    )
    assert not any(value.requires_grad for value in voices.parameters())


def test_the_student_itself_is_heard_as_it_spoke():
    student, batch = model(dropout=0.5), batch_of()
    student.network.train()
    own = Output.of(student, batch, watch=True)
    found = Itself().speaker(student, None)(batch, own, watch=True)
    assert torch.equal(found.states, own.states)
    assert not found.states.requires_grad
    assert not any(part.requires_grad for part in (found.table, *found.internals.hidden))


def test_terms_that_mean_the_same_speaker_share_it():
    student, teacher = model(), model(seed=3)
    averages = [
        KL.model_validate({"of": {"kind": "average", "decay": decay, "k": k}})
        for decay, k in ((0.9, 3), (0.9, 5), (0.99, 3))
    ]
    voices = Voices([*averages, NextItem(), Hint()], student, teacher)
    one, same, other = (voices.of(term.of) for term in averages)
    assert one is same
    assert one is not other
    assert voices.of(Teacher()).model is teacher
    with torch.no_grad():
        student.network.norm.weight += 1
    voices.follow(student.network)
    voices.follow(student.network)
    assert one.steps == 2
    batch = batch_of()
    said = voices.about(Output.of(student, batch), {Teacher(): False, averages[0].of: False})
    assert set(said) == {Teacher(), averages[0].of}
    assert said[Teacher()].internals is None
    told = voices.about(Output.of(student, batch), {Teacher(k=3): True, Teacher(): False})
    assert told[Teacher()] is told[Teacher(k=3)]
    assert told[Teacher()].internals is not None


@pytest.mark.parametrize("k", [1, 4, 100])
def test_what_is_said_is_a_signal_like_any_other(k, monkeypatch):
    _, spoken = outputs(model(dtype=torch.float32), model(seed=3, dtype=torch.float32))
    monkeypatch.setattr(
        "recdistill.distill.speakers.BLOCK_BYTES", 4 * 12 * 3
    )  # three rows at a time
    found = said(spoken, TopK(k=k))
    logs = (spoken.states.double() @ spoken.table.double().T).log_softmax(1)
    best, items = logs.topk(min(k, 12))
    assert torch.equal(found["items"], items)
    torch.testing.assert_close(found["logits"].double(), best, rtol=1e-4, atol=1e-5)
    rest = logs.scatter(1, items, -torch.inf).logsumexp(1)
    torch.testing.assert_close(found["rest"].double(), rest, rtol=1e-4, atol=1e-5)
    hard = said(spoken, HardLabelKind())
    assert torch.equal(hard["items"], items[:, 0])
    torch.testing.assert_close(hard["confidence"].double(), best[:, 0].exp(), rtol=1e-4, atol=1e-6)


def test_what_nobody_says_inside_a_step_is_refused():
    assert Average(k=7).says("top-k") == TopK(k=7)
    assert Itself().says("hard-label") == HardLabelKind()
    with pytest.raises(ConfigError, match="Nobody says 'user-vectors'") as refused:
        Teacher().says("user-vectors")
    assert "'top-k' or 'hard-label'" in refused.value.hint


def test_of_says_whose_words_are_needed():
    stored, asked = KL(), KL.model_validate({"of": "teacher"})
    assert (stored.source, asked.source) == ("top-k", None)
    assert stored.taught
    assert asked.taught
    assert HardLabel.model_validate({"of": "average"}).hears == "hard-label"
