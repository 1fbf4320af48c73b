"""What a small encoder learns of the whole one's inside, against plain loops and finite differences."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from planted import texts
from pydantic import ValidationError

from recdistill.data.batches import TrainingBatches
from recdistill.data.sequences import Sequences
from recdistill.errors import ConfigError
from recdistill.teachers.adapting.imitating import ImitationLesson
from recdistill.teachers.adapting.likeness import Likeness, Model, require_alike
from recdistill.teachers.adapting.narrowing import directions, narrow
from recdistill.teachers.adapting.settings import Imitation
from recdistill.teachers.adapting.terms.hearing import Heard, hear
from recdistill.teachers.adapting.terms.input_gradient import InputGradient
from recdistill.teachers.adapting.terms.value_relation import ValueRelation
from recdistill.teachers.encoder import TextEncoder
from recdistill.training.options import RunOptions
from recdistill.training.step import Moment, StepLoss, TorchBatch

SOME = ["the crime story 31", "music", "space space space space western romance", "the music 7"]
BOTH = ("value-relation", "input-gradient")
TRAINING = {
    "epochs": 12,
    "batch_size": 8,
    "optimizer": {"learning_rate": 3e-3},
    "rate": {"kind": "constant"},
}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def imitation(**how: Any) -> Imitation:
    return Imitation.model_validate({"training": TRAINING, **how})


def pair(folder: Path, width: int = 16, **how: Any) -> tuple[TextEncoder, TextEncoder]:
    """A small encoder of one layer, and the whole."""
    small, whole = TextEncoder(folder, layers=1, **how), TextEncoder(folder, **how)
    if width < 16:
        narrow(small, whole.tokens(texts()), width, seed=0)
        with torch.no_grad():
            for part in small.model.encoder.parameters():
                part.mul_(12) if part.dim() > 1 else None
    return small, whole


def likeness(small: TextEncoder, whole: TextEncoder, **how: Any) -> Likeness:
    vectors = torch.from_numpy(whole.encode(SOME))
    models = [Model(*each) for each in zip(whole.tokens(SOME), vectors, strict=True)]
    axes = directions(torch.from_numpy(whole.encode(texts())), small.width)
    return Likeness(small, whole, models, axes, imitation(**how))


def of(loss: Likeness, chosen: list[int]) -> StepLoss:
    """The loss of these texts; its signs are the same each time."""
    torch.manual_seed(7)
    each = Sequences.from_lists([[text] for text in chosen])
    batch = TrainingBatches(each, 1, len(chosen), 0, unlabelled=True).batch(0, 0)
    return loss(TorchBatch.of(batch), Moment(0, 1, 0, {}))


# Attention is heard


@torch.no_grad()
def test_attention_is_heard_as_transformers_shows_it(loud):
    from transformers import AutoModel

    encoder = TextEncoder(loud)
    tokens = encoder.tokens(SOME)
    heard = hear(encoder, tokens)
    eager = AutoModel.from_pretrained(loud, attn_implementation="eager").eval()
    term = ValueRelation(relations=("query-key",))
    for row, text in enumerate(tokens):
        shown = eager(input_ids=torch.tensor([text]), output_attentions=True).attentions
        for layer, theirs in zip(heard.attended, shown, strict=True):
            ours = term.maps(layer, heard, 2)[row].exp()
            torch.testing.assert_close(ours[:, : len(text), : len(text)], theirs[0])


@torch.no_grad()
def test_shared_keys_and_what_comes_later_are_heard_too(loud, tmp_path):
    """A causal model with rotary angles and two queries to a key."""
    from transformers import AutoModel, Qwen2Config, Qwen2Model

    source = TextEncoder(loud)
    torch.manual_seed(1)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 16}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    model = Qwen2Model(Qwen2Config(vocab_size=len(source.tokenizer), **shape, **heads))
    for part in model.parameters():
        part.mul_(12) if part.dim() > 1 else None
    model.save_pretrained(tmp_path)
    source.tokenizer.save_pretrained(tmp_path)
    encoder = TextEncoder(tmp_path, pooling="last")
    tokens = encoder.tokens(SOME)
    heard = hear(encoder, tokens)
    assert heard.anatomy.heads == 4
    eager = AutoModel.from_pretrained(tmp_path, attn_implementation="eager").eval()
    term = ValueRelation(relations=("query-key",))
    for row, text in enumerate(tokens):
        shown = eager(input_ids=torch.tensor([text]), output_attentions=True).attentions
        for layer, theirs in zip(heard.attended, shown, strict=True):
            ours = term.maps(layer, heard, 4)[row, :, : len(text), : len(text)]
            torch.testing.assert_close(ours.exp().tril(), theirs[0], atol=1e-5, rtol=1e-4)


# What is compared


def parts(encoder: TextEncoder, text: str, layer: int) -> list[torch.Tensor]:
    """Queries, keys and values of one text, `[tokens, width]`, from the layer's weights, in double precision."""
    model = copy.deepcopy(encoder.model).double()
    shown = model(input_ids=torch.tensor(encoder.tokens([text])), output_hidden_states=True)
    into, own = shown.hidden_states[layer][0], model.encoder.layer[layer].attention.self
    return [into @ part.weight.T + part.bias for part in (own.query, own.key, own.value)]


@torch.no_grad()
@pytest.mark.parametrize(("width", "heads"), [(16, None), (16, 4), (8, None), (8, 2)])
def test_relations_are_those_of_a_loop(width, heads, loud):
    small, whole = pair(loud, width)
    term = {"kind": "value-relation", "weight": 0.3, "relation_heads": heads}
    found = of(likeness(small, whole, terms=[term]), [2, 0, 1, 3])
    count, far = heads or (2 if width == 16 else 1), []
    for text in SOME:
        own, other = parts(small, text, 0), parts(whole, text, 1)
        each = []
        for mine, theirs in zip(own, other, strict=True):
            for head in range(count):
                wide, narrow_ = 16 // count, width // count
                t = theirs[:, head * wide : (head + 1) * wide]
                s = mine[:, head * narrow_ : (head + 1) * narrow_]
                p = torch.softmax(t @ t.T / wide**0.5, dim=1)
                q = torch.softmax(s @ s.T / narrow_**0.5, dim=1)
                each += (p * (p / q).log()).sum(1).tolist()
        far.append(sum(each) / len(each))
    expected = sum(far) / len(far)
    assert expected > 0.01
    assert float(found.terms["value-relation"]) == pytest.approx(expected, rel=1e-4)
    total = float(found.terms["vectors"]) + 0.3 * expected
    assert float(found.total) == pytest.approx(total, rel=1e-4)


def gated_vector(encoder: TextEncoder, text: str, gates: torch.Tensor) -> torch.Tensor:
    """In double precision, from embeddings of words scaled by hand."""
    model = copy.deepcopy(encoder.model).double()
    words = model.get_input_embeddings()(torch.tensor(encoder.tokens([text])))
    hidden = model(inputs_embeds=words * gates[:, None]).last_hidden_state
    vector = hidden[0].mean(0)
    return vector / vector.norm() if encoder.normalise else vector


@torch.no_grad()
@pytest.mark.parametrize("normalise", [True, False])
def test_gradients_are_finite_differences(normalise, loud):
    encoder = TextEncoder(loud, normalise=normalise)
    tokens, draw = encoder.tokens(SOME), torch.Generator().manual_seed(3)
    probes = torch.randint(2, (4, 16), generator=draw).mul(2).sub(1).float()
    found = hear(encoder, tokens, probes)
    assert found.gradient is not None
    for row, text in enumerate(SOME):
        slopes = []
        for place in range(len(tokens[row])):
            step = torch.zeros(len(tokens[row]), dtype=torch.float64)
            step[place] = 1e-5
            up, down = (gated_vector(encoder, text, 1 + sign * step) for sign in (1, -1))
            slopes.append((up - down) @ probes[row].double() / 2e-5)
        expected = torch.stack(slopes).float()
        torch.testing.assert_close(
            found.gradient[row, : len(slopes)], expected, atol=2e-4, rtol=2e-3
        )
        assert not found.gradient[row, len(slopes) :].any()
    torch.testing.assert_close(found.vectors, encoder.vectors(tokens), atol=1e-5, rtol=1e-4)
    assert not any(part.requires_grad for part in (found.vectors, found.gradient, *found.hidden))


def test_its_own_slope_is_a_finite_difference(loud):
    """The second derivative, along directions in which every weight moves at once."""
    small, whole = pair(loud)
    loss = likeness(small, whole, terms=["input-gradient"])
    weights = [w for n, w in small.model.named_parameters() if "pooler" not in n]

    def value() -> torch.Tensor:
        torch.manual_seed(7)
        return loss.reader(torch.arange(4)).mean(0)[1]

    slopes = torch.autograd.grad(value(), weights)
    torch.manual_seed(11)
    with torch.no_grad():
        for _ in range(3):
            moves = [torch.randn_like(weight) * weight.std() for weight in weights]
            expected = sum(float((m * s).sum()) for m, s in zip(moves, slopes, strict=True))
            values = []
            for step in (1e-3, -2e-3, 1e-3):
                for weight, move in zip(weights, moves, strict=True):
                    weight.add_(move, alpha=step)
                values.append(float(value()))
            assert abs(expected) > 0.1
            assert (values[0] - values[1]) / 2e-3 == pytest.approx(expected, rel=0.03, abs=0.02)


@torch.no_grad()
def test_an_encoder_of_all_layers_is_alike_inside(loud):
    encoder = TextEncoder(loud)
    loss = likeness(encoder, encoder.whole(), terms=BOTH, hidden=1.0)
    assert float(loss.losses(sorted(loss._models, key=len)).abs().max()) < 1e-5


@torch.no_grad()
def test_what_is_padded_does_not_matter(loud):
    small, whole = pair(loud)
    tokens = whole.tokens(SOME)
    probes = torch.randn(4, 16, generator=torch.Generator().manual_seed(2))

    def apart(term, rows: list[int]) -> torch.Tensor:
        chosen = [tokens[row] for row in rows]
        own, other = (hear(one, chosen, probes[rows]) for one in (small, whole))
        return term(own, other, torch.nn.Identity())

    for term in (ValueRelation(layers="spread"), InputGradient()):
        alone = torch.cat([apart(term, [row]) for row in range(4)])
        assert float(alone.min()) > 1e-3
        torch.testing.assert_close(apart(term, [0, 1, 2, 3]), alone, atol=1e-5, rtol=1e-4)


def test_parts_have_the_gradients_of_the_whole_batch(loud):
    def slopes(at_once: int) -> tuple[float, list[torch.Tensor]]:
        small, whole = pair(loud)
        loss = likeness(small, whole, terms=BOTH, texts_at_once=at_once)
        total = of(loss, [0, 1, 2, 3]).total
        total.backward()
        return float(total.detach()), [
            w.grad for w in small.model.parameters() if w.grad is not None
        ]

    (total, expected), (found_total, found) = slopes(256), slopes(1)
    assert found_total == pytest.approx(total, rel=1e-5)
    assert len(found) == len(expected) > 10
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-3)


def test_only_the_small_one_learns(loud):
    small, whole = pair(loud)
    of(likeness(small, whole, terms=BOTH, hidden=1.0), [0, 1, 2]).total.backward()
    assert all(part.grad is None for part in whole.model.parameters())
    assert any(part.grad is not None for part in small.model.parameters())


# From end to end


def learned(folder: Path, into: Path, **how: Any) -> TextEncoder:
    """What becomes of a small encoder."""
    small = TextEncoder(folder, layers=1)
    ImitationLesson(small, "tiny", texts(), imitation(held_out=0, **how)).learn(into, RunOptions())
    return small


def test_the_inside_of_strangers_comes_nearer(loud, tmp_path):
    strangers = [f"the music {word} story {n}" for word in ("crime", "space") for n in (51, 53, 58)]
    whole = TextEncoder(loud)
    tokens = whole.tokens(strangers)
    probes = torch.randn(len(tokens), 16, generator=torch.Generator().manual_seed(5))

    def apart(small: TextEncoder) -> list[float]:
        with torch.no_grad():
            own, other = (hear(one, tokens, probes) for one in (small, whole))
            terms = imitation(terms=BOTH).terms
            return [float(term(own, other, torch.nn.Identity()).mean()) for term in terms]

    before = apart(TextEncoder(loud, layers=1))
    without = apart(learned(loud, tmp_path / "without"))
    terms = [{"kind": kind, "weight": 1.0} for kind in BOTH]
    taught = apart(learned(loud, tmp_path / "taught", terms=terms))
    for found, null, other in zip(taught, before, without, strict=True):
        assert found < 0.9 * min(null, other)


# What is refused


def refused(small: TextEncoder, whole: TextEncoder, **term: Any) -> ConfigError:
    how = imitation(terms=[{"kind": "value-relation", **term}])
    with pytest.raises(ConfigError, match="value-relation") as caught:
        require_alike(small, whole, how, [2, 5, 3])
    return caught.value


def test_layers_and_heads_that_are_not_there_are_refused(loud):
    small, whole = pair(loud, 8)
    error = refused(small, whole, layers=[[1, 1]])
    assert "layer 1 of the student, which has 1" in str(error)
    assert "nearest is 0" in error.hint
    error = refused(small, whole, relation_heads=3)
    assert "8 wide and the teacher 16" in str(error)
    assert "relation_heads: 2" in error.hint
    with pytest.raises(ConfigError, match="layer 5 of the teacher, which has 2"):
        require_alike(small, whole, imitation(hidden=0.1, pairs=[[0, 5]]), [2, 5, 3])
    require_alike(small, whole, imitation(terms=BOTH, hidden=0.1), [2, 5, 3])


def test_attention_that_is_not_heard_is_refused(loud, tmp_path):
    from transformers import MPNetConfig, MPNetModel

    source = TextEncoder(loud)
    shape = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 16}
    MPNetModel(
        MPNetConfig(vocab_size=len(source.tokenizer), num_hidden_layers=2, **shape)
    ).save_pretrained(tmp_path)
    source.tokenizer.save_pretrained(tmp_path)
    small, whole = TextEncoder(tmp_path, layers=1), TextEncoder(tmp_path)
    assert "cannot be heard" in str(refused(small, whole))
    require_alike(small, whole, imitation(terms=["input-gradient"]), [2, 5, 3])


def test_a_term_is_named_once_and_rightly():
    with pytest.raises(ValidationError, match="'input-gradient' is there twice"):
        imitation(terms=["input-gradient", {"kind": "input-gradient", "weight": 3}])
    with pytest.raises(ValidationError, match="value-relation"):
        imitation(terms=["value-relatoin"])
    with pytest.raises(ValidationError, match="weight"):
        imitation(terms=[{"kind": "input-gradient", "weight": 0}])


def test_settings_from_before_have_the_keys_they_had():
    assert "terms" not in imitation().model_dump(mode="json")
    told = imitation(terms=BOTH)
    assert Imitation.model_validate(told.model_dump(mode="json")) == told
    assert [term.name for term in imitation(hidden=0.2, terms=BOTH).inside] == ["hidden", *BOTH]


def test_heard_without_probes_has_no_gradient(loud):
    heard: Heard = hear(TextEncoder(loud), [[2, 5, 3]])
    assert heard.gradient is None
