"""What smaller forms lose, against sums written out; what is refused, on the front and at its knee."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from evaluation_models import FixedModel, random_model

from recdistill.compression.settings import Tolerance
from recdistill.data.cases import Cases
from recdistill.data.sequences import Sequences
from recdistill.errors import DataError
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.lessening.contract import Footprint
from recdistill.evaluation.lessening.document import chosen, lessening, with_test
from recdistill.evaluation.lessening.losses import loss
from recdistill.evaluation.metrics import parse
from recdistill.evaluation.options import EvaluationConfig
from recdistill.evaluation.ranker import RankingOptions, rank_cases

NDCG = parse("ndcg@10")
ITEMS = 60


def questions(users: int = 40, seed: int = 0) -> Cases:
    random = np.random.default_rng(seed)
    rows = [[int(item)] for item in random.integers(0, ITEMS, 3 * users)]
    targets = Sequences.from_lists([[int(item)] for item in random.integers(0, ITEMS, 3 * users)])
    return Cases(
        np.repeat(np.arange(users, dtype=np.int32), 3), Sequences.from_lists(rows), targets
    )


def worse(model: FixedModel, noise: float, seed: int) -> FixedModel:
    random = torch.Generator().manual_seed(seed)
    table = model.table + noise * torch.randn(model.table.shape, generator=random)
    return FixedModel(model.by_last, table)


def knowing(cases: Cases) -> FixedModel:
    """A model that is right more often than not: states lean towards what follows."""
    model = random_model(ITEMS, width=16)
    for history, target in zip(cases.histories, cases.targets, strict=True):
        model.by_last[int(history[-1]) + 1] += 0.7 * model.table[int(target[0])]
    return model


def evaluation(models: dict[str, FixedModel], cases: Cases) -> Evaluation:
    rankings = {
        name: (rank_cases(model, cases, RankingOptions(filter_seen=False)),)
        for name, model in models.items()
    }
    config = EvaluationConfig(metrics=("ndcg@10",), resamples=1000)
    facts = {"name": "made-up", "valid_cases": len(cases), "valid_users": 40}
    return Evaluation(config, facts, cases, np.ones(ITEMS, dtype=np.int64), rankings)


@pytest.fixture(scope="module")
def found() -> Evaluation:
    cases = questions()
    model = knowing(cases)
    models = {"whole": model, "good": worse(model, 0.1, 1), "bad": worse(model, 3.0, 2)}
    return evaluation(models, cases)


def by_hand(found: Evaluation, role: str, resamples: int, seed: int) -> np.ndarray:
    """Users drawn one by one, and a share of each drawn sum."""
    random = np.random.default_rng(seed)
    values = {name: found.per_case(name, NDCG)[0].reshape(40, 3) for name in ("whole", role)}
    shares = []
    for _ in range(resamples):
        drawn = random.integers(0, 40, 40)
        shares.append(1 - values[role][drawn].sum() / values["whole"][drawn].sum())
    return np.array(shares)


@pytest.mark.parametrize("role", ["good", "bad"])
def test_a_loss_is_that_of_the_slow_bootstrap(found, role):
    lost = loss(found, role, "whole", NDCG)
    assert lost.mean == pytest.approx(1 - found.value(role, NDCG) / found.value("whole", NDCG))
    slow = np.quantile(by_hand(found, role, 4000, 7), [0.025, 0.975])
    np.testing.assert_allclose([lost.low, lost.high], slow, atol=0.03)


def test_nothing_is_lost_to_oneself(found):
    lost = loss(found, "whole", "whole", NDCG)
    assert (lost.mean, lost.low, lost.high) == (0.0, 0.0, 0.0)


def test_nothing_can_be_lost_of_nothing():
    cases = questions(users=4)
    blind = FixedModel(torch.zeros(ITEMS + 1, 2), torch.zeros(ITEMS, 2))
    far = Cases(cases.users, cases.histories, Sequences.from_lists([[ITEMS - 1]] * len(cases)))
    with pytest.raises(DataError, match="on validation is 0"):
        loss(evaluation({"blind": blind}, far), "blind", "blind", NDCG)


def footprint(size: int, seconds: float = 1e-3) -> Footprint:
    return Footprint("any", "float32", size // 4, size, size + 100, seconds, 2 * seconds)


def told(found: Evaluation, tolerance: Tolerance) -> dict:
    prints = {"whole": footprint(4000), "good": footprint(1000), "bad": footprint(500)}
    return lessening(found, prints, "whole", tolerance, {"odd": "it cannot leave"})


def test_what_loses_too_much_is_refused_and_takes_no_part(found):
    lost = {name: loss(found, name, "whole", NDCG) for name in ("good", "bad")}
    between = (lost["good"].mean + lost["bad"].mean) / 2
    content = told(found, Tolerance(share=between))
    assert {name: one["mark"] for name, one in content["forms"].items()} == {
        "whole": "front" if lost["good"].mean > 0 else "",
        "good": "knee",
        "bad": "refused",
    }
    assert chosen(content) == "good"
    assert "Refused, since they lose more than" in content["verdict"]["sentence"]
    assert content["unmade"] == {"odd": "it cannot leave"}
    assert content["test"] == {}


def test_what_has_not_been_shown_is_refused_where_that_is_asked(found):
    lost = loss(found, "good", "whole", NDCG)
    share = max(lost.mean, 0.0) + 1e-6
    assert lost.high > share  # else this would test nothing
    assert told(found, Tolerance(share=share))["forms"]["good"]["mark"] != "refused"
    strict = told(found, Tolerance(share=share, proof="interval"))
    assert strict["forms"]["good"]["mark"] == "refused"
    assert chosen(strict) == "whole"
    assert strict["verdict"]["result"] == "Stay"


def test_the_test_is_told_beside_and_changes_no_mark(found):
    content = told(found, Tolerance(share=0.99))
    models = {
        name: FixedModel(torch.randn(ITEMS + 1, 4), torch.randn(ITEMS, 4))
        for name in ("whole", "good")
    }
    after = with_test(content, evaluation(models, questions(seed=5)))
    assert after["forms"] == content["forms"]
    assert after["verdict"] == content["verdict"]
    assert set(after["test"]["models"]) == {"whole", "good"}
    assert set(after["test"]["losses"]) == {"good"}
