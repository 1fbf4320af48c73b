"""Heads for what came of an event: their values by hand, their face, and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from pydantic import ValidationError

from recdistill.data.sequences import Sequences
from recdistill.data.vocabulary import Vocabulary
from recdistill.errors import ConfigError, DataError
from recdistill.models.foretelling import foretold, log_losses, outcome_validation, rmse
from recdistill.models.outcomes import Like, OutcomeHead, Rating, bases, heads_of
from recdistill.models.recommender import Recommender
from recdistill.models.sasrec import SASRec, SASRecConfig

BOTH = ["rating", {"kind": "like", "at_least": 3.5}]


def new_model(dataset, outcomes=BOTH, **settings):
    given = {"width": 8, "blocks": 1, "history": 10, "dropout": 0.0, **settings}
    model = SASRec.for_dataset(dataset, outcomes=outcomes, **given)
    heads_of(model.network).prepare(dataset)
    return model


def stirred(model, seed=0):
    """The same with heads that say something."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        model.network.items.vectors.normal_(generator=generator)
        for value in heads_of(model.network).parameters():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.3)
    return model


def test_a_head_by_hand():
    head = OutcomeHead(Rating(), 2).double()
    with torch.no_grad():
        head.pair.copy_(torch.tensor([2.0, -1.0]))
        head.state.copy_(torch.tensor([0.5, 0.0]))
        head.item.copy_(torch.tensor([0.0, 4.0]))
        head.bias.fill_(-1.0)
        head.base.fill_(3.0)
    states, vectors = torch.tensor([[1.0, 2.0]]).double(), torch.tensor([[3.0, 0.25]]).double()
    # 3 − 1 + (2·3·1 − 1·0.25·2) + 0.5·1 + 4·0.25
    torch.testing.assert_close(head(states, vectors), torch.tensor([9.0]).double())


def test_a_heads_gradients():
    head = OutcomeHead(Like(), 3).double()
    torch.manual_seed(0)
    with torch.no_grad():
        for value in head.parameters():
            value.normal_()
    sides = [
        torch.randn(shape, dtype=torch.float64, requires_grad=True)
        for shape in [(2, 1, 3), (2, 4, 3)]
    ]
    assert torch.autograd.gradcheck(head, sides)


def test_what_outcomes_learn_and_tell():
    ratings = torch.tensor([2.0, 3.5, 5.0, torch.nan])
    like = Like(at_least=3.5)
    torch.testing.assert_close(
        like.observed(ratings), torch.tensor([0, 1, 1, torch.nan]), equal_nan=True
    )
    torch.testing.assert_close(Rating().observed(ratings), ratings, equal_nan=True)
    torch.testing.assert_close(
        like.told(torch.tensor([0.0, float(np.log(3.0))])), torch.tensor([0.5, 0.75])
    )
    given = np.array([1.0, 2.0, 4.0, 5.0], dtype=np.float32)
    assert Rating().base(given) == 3.0
    assert like.base(given[1:]) == pytest.approx(np.log(2.0))


def test_an_untaught_head_tells_the_mean(tiny_dataset):
    told = new_model(tiny_dataset).outcomes([["i0001"], ["i0002", "i0003"]], ["i0004", "i0005"])
    ratings = tiny_dataset.train.ratings
    assert told["rating"].to_list() == pytest.approx([ratings.mean()] * 2)
    assert told["like"].to_list() == pytest.approx([(ratings >= 3.5).mean()] * 2)


def test_what_a_model_tells_in_raw_ids(tiny_dataset):
    model = stirred(new_model(tiny_dataset))
    histories = [["i0001", "i0007", "nobody"], [], ["i0002"] * 14 + ["i0003"]]
    items = ["i0003", "i0039", "i0003"]
    told = model.outcomes(histories, items)
    assert told.columns == ["user_id", "item_id", "rating", "like"]
    assert told["item_id"].to_list() == items
    known = Sequences.from_lists([[1, 7], [], [2] * 14 + [3]])
    states, table = model.states(known).double(), model.item_table().detach().double()
    heads = heads_of(model.network)
    for row, (state, item) in enumerate(zip(states, [3, 39, 3], strict=True)):
        for name, bend in (("rating", lambda x: x), ("like", lambda x: 1 / (1 + np.exp(-x)))):
            head, vector = heads[name].double(), table[item]
            raw = head.base + head.bias + head.item @ vector + head.state @ state
            raw = (raw + (head.pair * vector) @ state).item()
            assert told[name][row] == pytest.approx(bend(raw), rel=1e-5)


def test_heads_are_saved(tiny_dataset, tmp_path):
    model = stirred(new_model(tiny_dataset))
    model.save(tmp_path / "model")
    again = Recommender.load(tmp_path / "model")
    asked = [["i0001"]], ["i0004"]
    assert again.outcomes(*asked).equals(model.outcomes(*asked))


def test_a_model_without_heads_is_what_it_was(tiny_dataset):
    bare, headed = new_model(tiny_dataset, ()), new_model(tiny_dataset)
    assert "outcomes" not in bare.get_config()
    assert "outcomes" not in SASRecConfig().model_dump(mode="json")
    mine, theirs = bare.network.state_dict(), headed.network.state_dict()
    assert {name for name in theirs if name not in mine} == {
        f"outcomes.{head}.{part}"
        for head in ("rating", "like")
        for part in ("pair", "state", "item", "bias", "base")
    }
    assert all(torch.equal(value, theirs[name]) for name, value in mine.items())


@pytest.mark.parametrize("name", ["rating", "like"])
def test_validation_by_an_outcome(tiny_dataset, name):
    """Against the definition, and better by the mean than by random answers."""
    model = stirred(new_model(tiny_dataset, history=200))
    cases = tiny_dataset.valid
    targets = cases.targets.values[cases.targets.starts]
    told = foretold(model, cases.histories, targets.astype(np.int64))[name]
    if name == "rating":
        expected = -np.sqrt(
            np.mean([(t - r) ** 2 for t, r in zip(told, cases.ratings, strict=True)])
        )
    else:
        pairs = zip(told.astype(np.float64), cases.ratings >= 3.5, strict=True)
        expected = np.mean([np.log(t if liked else 1 - t) for t, liked in pairs])
    measure = outcome_validation(model, tiny_dataset, name)
    assert measure is not None
    assert measure() == pytest.approx(expected, rel=1e-4)
    before = measure()
    with torch.no_grad():
        for value in heads_of(model.network).parameters():
            value.zero_()
    assert measure() > before


def test_nothing_to_validate_an_outcome_on(tiny_dataset):
    model = new_model(tiny_dataset)
    silent = replace(tiny_dataset, valid=replace(tiny_dataset.valid, ratings=None))
    assert outcome_validation(model, silent, "rating") is None
    with pytest.raises(ConfigError, match="`metric: like` needs a head for 'like'"):
        outcome_validation(new_model(tiny_dataset, ["rating"]), tiny_dataset, "like")


def test_errors_of_answers_by_hand():
    told, truth = np.array([0.5, 0.25, 1.0]), np.array([1.0, 0.0, 1.0])
    assert rmse(told, truth) == pytest.approx(np.sqrt((0.25 + 0.0625) / 3))
    np.testing.assert_allclose(log_losses(told, truth), [np.log(2), -np.log(0.75), 1e-7], rtol=1e-5)


def test_a_log_without_ratings_is_refused(tiny_dataset):
    silent = replace(tiny_dataset, train=replace(tiny_dataset.train, ratings=None))
    with pytest.raises(
        DataError, match="heads for rating and like, but 'tiny' has no ratings"
    ) as caught:
        bases([Rating(), Like()], silent)
    assert "dataset.columns" in caught.value.hint
    assert bases([], silent) == {}


@pytest.mark.parametrize(
    ("outcome", "ratings", "said"),
    [
        (Rating(), [4.0, 4.0], "Every rating in training is 4"),
        (Like(), [4.0, 5.0], "Every rating in training is at least 4"),
        (Like(at_least=6), [4.0, 5.0], "No rating in training is at least 6"),
    ],
)
def test_ratings_that_teach_nothing_are_refused(outcome, ratings, said):
    with pytest.raises(DataError, match=said):
        outcome.base(np.array(ratings, dtype=np.float32))


def test_a_plain_fit_would_leave_heads_untaught(tiny_dataset):
    with pytest.raises(ConfigError, match="leave rating and like untaught"):
        new_model(tiny_dataset).fit(tiny_dataset)


def test_a_model_without_heads_tells_nothing(tiny_dataset):
    with pytest.raises(ConfigError, match="foretells no outcomes"):
        new_model(tiny_dataset, ()).outcomes([["i0001"]], ["i0004"])


def test_as_many_items_as_histories(tiny_dataset):
    model = new_model(tiny_dataset)
    with pytest.raises(ConfigError, match="1 histories and 2 items"):
        model.outcomes([["i0001"]], ["i0004", "i0005"])
    with pytest.raises(DataError, match="i0040"):
        model.outcomes([["i0001"]], ["i0040"])


@pytest.mark.parametrize("outcomes", [["ratings"], ["like", {"kind": "like", "at_least": 3}]])
def test_no_other_heads(outcomes):
    with pytest.raises(ValidationError):
        SASRecConfig(outcomes=outcomes)


def test_a_catalogue_of_one_item_has_heads_too():
    model = SASRec(SASRecConfig(outcomes=["rating"]), Vocabulary(pl.Series([0])))
    assert heads_of(model.network).names == ("rating",)
