"""The whole evaluation on a small prepared dataset, and the document it leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evaluation_models import FixedModel, random_model
from metrics_schema import MetricsDocument
from pydantic import ValidationError

from recdistill.data.dataset import Dataset
from recdistill.data.holdout import open_test
from recdistill.errors import ConfigError, DataError
from recdistill.evaluation import comparison
from recdistill.evaluation.document import FORMAT
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.examples import draw, examples
from recdistill.evaluation.metrics import parse
from recdistill.evaluation.options import EvaluationConfig
from recdistill.evaluation.protocol import evaluate, filters_seen
from recdistill.evaluation.roles import POPULARITY, STUDENT, TEACHER, TWIN
from recdistill.models.validation import takes_repeat
from recdistill.progress import LineProgress

METRICS = ("ndcg@10", "recall@20", "mrr", "coverage@10", "novelty@10", "gini@10")


def model_of(dataset: Dataset, seed: int) -> FixedModel:
    model = random_model(dataset.num_items, seed=seed)
    model.vocabulary = dataset.vocabulary
    return model


def knowing(dataset: Dataset, strength: float, seed: int) -> FixedModel:
    """A model that knows (with noise) that film `i + 5` follows film `i`, as the log was made."""
    import torch

    items = dataset.num_items
    random = torch.Generator().manual_seed(seed)
    follows = torch.zeros(items + 1, items)
    for item in range(items):
        follows[item + 1, (item + 5) % items] = strength
    model = FixedModel(follows + torch.randn(items + 1, items, generator=random), torch.eye(items))
    model.vocabulary = dataset.vocabulary
    return model


@pytest.fixture(scope="module")
def dataset(make_dataset: Any, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(tmp_path_factory.mktemp("evaluated"), users=120, events=4000)


@pytest.fixture(scope="module")
def evaluation(dataset: Dataset) -> Evaluation:
    models = {
        TEACHER: knowing(dataset, 6.0, 0),
        STUDENT: [knowing(dataset, 4.0, seed) for seed in (1, 2, 3)],
        TWIN: [knowing(dataset, 1.0, seed) for seed in (4, 5, 6)],
        POPULARITY: model_of(dataset, 7),
    }
    return evaluate(
        models, dataset, METRICS, config=EvaluationConfig(resamples=1000, latency_requests=5)
    )


@pytest.fixture(scope="module")
def document(evaluation: Evaluation) -> dict[str, Any]:
    return evaluation.to_metrics(
        timing={"training_seconds": 3.0}, labelling={"seconds": 1.5}, notes=["Mind this."]
    )


def test_the_values_are_those_of_the_definition(evaluation: Evaluation, dataset: Dataset) -> None:
    cases = open_test(dataset.folder)
    model = knowing(dataset, 6.0, 0)
    scores = model.states(cases.histories).double() @ model.table.double().T
    gains = []
    for row, target in zip(
        scores.numpy(), cases.targets.values[cases.targets.places()], strict=True
    ):
        rank = 1 + (row > row[target]).sum()
        gains.append(1 / np.log2(rank + 1) if rank <= 10 else 0.0)
    assert evaluation.value(TEACHER, parse("ndcg@10")) == pytest.approx(np.mean(gains), abs=1e-9)


def test_several_models_of_a_role_are_averaged(evaluation: Evaluation, dataset: Dataset) -> None:
    alone = [
        evaluate({STUDENT: knowing(dataset, 4.0, seed)}, dataset, ["ndcg@10"]).value(
            STUDENT, parse("ndcg@10")
        )
        for seed in (1, 2, 3)
    ]
    assert evaluation.value(STUDENT, parse("ndcg@10")) == pytest.approx(np.mean(alone))
    np.testing.assert_allclose(evaluation.by_seed(STUDENT, parse("ndcg@10")), alone)


def test_the_document_has_the_keys_that_others_read(document: dict[str, Any]) -> None:
    assert list(document["models"]) == [TEACHER, STUDENT, TWIN, POPULARITY]
    for values in document["models"].values():
        assert list(values) == list(METRICS)
        assert all(isinstance(value, float) for value in values.values())
    assert document["seeds"] == 3
    assert document["format"] == FORMAT
    assert document["dataset"]["name"] == "tiny"
    assert document["dataset"]["test_cases"] > 0
    assert document["timing"]["training_seconds"] == 3.0
    assert document["labelling"]["seconds"] == 1.5
    assert document["notes"] == ["Mind this."]
    for part in ("slices", "agreement", "costs", "intervals", "spread", "verdict", "bootstrap"):
        assert document[part], part


def test_the_document_has_the_shape_that_is_promised(
    evaluation: Evaluation, dataset: Dataset
) -> None:
    written = json.loads(json.dumps(evaluation.to_metrics(), allow_nan=False))
    MetricsDocument.model_validate(written)
    alone = evaluate({"anything": model_of(dataset, 1)}, dataset, ["coverage@5"]).to_metrics()
    MetricsDocument.model_validate(json.loads(json.dumps(alone)))


def test_every_key_is_documented_and_the_example_fits(document: dict[str, Any]) -> None:
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    for key in document:
        assert f"| `{key}` |" in text
    for key in ("low", "high", "relative_low", "latency_p99", "cases_per_second", "filter_seen"):
        assert f"`{key}`" in text
    example = json.loads(text.split("```json")[1].split("```")[0])
    assert set(example) <= set(document)
    assert set(example["models"]) == set(document["models"])


def test_gap_and_retention_follow_from_the_models(document: dict[str, Any]) -> None:
    for name in ("ndcg@10", "recall@20", "mrr"):
        teacher, student, twin = (
            document["models"][role][name] for role in (TEACHER, STUDENT, TWIN)
        )
        assert document["gap_closed"][name] == pytest.approx((student - twin) / (teacher - twin))
        assert document["retention"][name] == pytest.approx(student / teacher)
        assert document["uplift"][name]["mean"] == pytest.approx(student - twin)
        assert document["uplift"][name]["relative"] == pytest.approx(student / twin - 1)
    assert "coverage@10" not in document["gap_closed"]


def test_intervals_hold_their_values(document: dict[str, Any]) -> None:
    for role, bounds in document["intervals"].items():
        for name, found in bounds.items():
            assert found["low"] <= document["models"][role][name] <= found["high"]
    for name in ("ndcg@10", "recall@20", "mrr", "novelty@10"):
        found = document["uplift"][name]
        assert found["low"] <= found["mean"] <= found["high"]
        assert found["relative_low"] <= found["relative"] <= found["relative_high"]
    for name in ("coverage@10", "gini@10"):
        assert document["uplift"][name]["low"] is None
        assert name not in document["intervals"][STUDENT]


def test_a_large_gain_is_called_better(document: dict[str, Any]) -> None:
    assert document["verdict"]["metric"] == "ndcg@10"
    assert document["verdict"]["result"] == "better"
    assert "raised NDCG@10" in document["verdict"]["sentence"]


def test_a_student_that_is_its_twin_shows_no_difference(dataset: Dataset) -> None:
    same = model_of(dataset, 1)
    found = evaluate({STUDENT: same, TWIN: same}, dataset, ["mrr"]).to_metrics()
    assert found["verdict"]["result"] == "no difference shown"
    assert found["uplift"]["mrr"]["mean"] == 0.0
    assert found["gap_closed"] == {}


def test_slices_put_the_whole_test_together(document: dict[str, Any]) -> None:
    cases = document["dataset"]["test_cases"]
    for cut in ("popularity", "history"):
        parts = document["slices"][cut].values()
        assert sum(part["cases"] for part in parts) == cases
        for role in (TEACHER, STUDENT):
            weighted = sum(part["cases"] * part["models"][role]["mrr"] for part in parts)
            assert weighted / cases == pytest.approx(document["models"][role]["mrr"])
        for part in parts:
            found = part["uplift"]["ndcg@10"]
            assert found["low"] <= found["mean"] <= found["high"]


def test_the_student_agrees_more_with_its_teacher_than_its_twin(document: dict[str, Any]) -> None:
    taught, alone = document["agreement"][STUDENT], document["agreement"][TWIN]
    assert taught["overlap@10"] > alone["overlap@10"]
    assert taught["rank_correlation@10"] > alone["rank_correlation@10"]


def test_the_spread_of_one_model_is_unknown(
    document: dict[str, Any], evaluation: Evaluation
) -> None:
    assert document["spread"][TEACHER]["mrr"] is None
    expected = np.std(evaluation.by_seed(STUDENT, parse("mrr")), ddof=1)
    assert document["spread"][STUDENT]["mrr"] == pytest.approx(expected)


def test_the_document_is_json_without_nan(evaluation: Evaluation, tmp_path: Path) -> None:
    path = evaluation.save(tmp_path / "report")
    text = path.read_text(encoding="utf-8")
    assert json.loads(text)["models"].keys() == evaluation.rankings.keys()
    assert "NaN" not in text
    assert path.name == "metrics.json"


def test_a_number_that_is_none_becomes_null() -> None:
    from recdistill.evaluation.document import without_nan

    assert without_nan({"a": [float("nan"), 1.0, (float("inf"), "x")]}) == {
        "a": [None, 1.0, [None, "x"]]
    }


@pytest.mark.parametrize(
    ("teacher", "student", "twin", "expected"),
    [
        (0.3, 0.25, 0.2, 0.5),
        (0.3, 0.35, 0.2, 1.5),
        (0.3, 0.1, 0.2, -1.0),
        (0.2, 0.3, 0.2, None),
        (0.1, 0.3, 0.2, None),
    ],
)
def test_the_gap_closed(
    teacher: float, student: float, twin: float, expected: float | None
) -> None:
    found, reason = comparison.gap_closed(teacher, student, twin)
    assert (found is None) == (expected is None) == bool(reason)
    assert found == (None if expected is None else pytest.approx(expected))


def test_retention_of_nothing_is_nothing() -> None:
    assert comparison.retention(0.0, 0.1)[0] is None
    assert comparison.retention(0.4, 0.1) == (0.25, "")


def test_reasons_are_given_where_there_is_no_gap(dataset: Dataset) -> None:
    weak = {
        TEACHER: model_of(dataset, 1),
        STUDENT: knowing(dataset, 5, 2),
        TWIN: knowing(dataset, 5, 3),
    }
    found = evaluate(weak, dataset, ["ndcg@10", "gini@5"]).to_metrics()
    assert found["gap_closed"] == {"ndcg@10": None}
    assert "no gap" in found["reasons"]["gap_closed"]["ndcg@10"]


def test_without_a_metric_of_accuracy_there_is_no_verdict(dataset: Dataset) -> None:
    found = evaluate({STUDENT: model_of(dataset, 1)}, dataset, ["coverage@5"]).to_metrics()
    assert found["verdict"] == {"metric": None, "result": "not measured", "sentence": ""}
    assert found["agreement"] == {}


def test_a_twin_that_scores_nothing_leaves_no_share(dataset: Dataset) -> None:
    import torch

    worst = FixedModel(-knowing(dataset, 1000.0, 0).by_last, torch.eye(dataset.num_items))
    worst.vocabulary = dataset.vocabulary
    found = evaluate(
        {STUDENT: knowing(dataset, 5, 0), TWIN: worst}, dataset, ["hit@1"]
    ).to_metrics()
    assert found["uplift"]["hit@1"]["relative_low"] is None


def test_examples_are_drawn_by_lot_and_told_with_titles(
    evaluation: Evaluation, dataset: Dataset
) -> None:
    told = examples(evaluation, dataset, 5)
    assert len({one.user for one in told}) == len(told) == 5
    for one, case in zip(told, draw(evaluation, 5), strict=True):
        assert set(one.lists) == {TEACHER, STUDENT, TWIN, POPULARITY}
        assert all("story" in title for title in (*one.history, *one.targets))
        for role, shown in one.lists.items():
            rank = evaluation.rankings[role][0].ranks.ranks[case]
            hits = [place for place, item in enumerate(shown, start=1) if item.hit]
            assert hits == ([int(rank)] if rank <= len(shown) else [])
    assert draw(evaluation, 5) == draw(evaluation, 5)


def test_items_seen_are_filtered_unless_people_take_items_again(dataset: Dataset) -> None:
    assert takes_repeat(dataset.train.histories)
    assert not filters_seen(EvaluationConfig(), dataset.train)
    assert filters_seen(EvaluationConfig(filter_seen=True), dataset.train)
    found = evaluate(
        {STUDENT: model_of(dataset, 1)}, dataset, config=EvaluationConfig(filter_seen=True)
    )
    assert found.dataset["filter_seen"] is True
    for case, top in enumerate(found.rankings[STUDENT][0].top[:50]):
        assert not set(top.tolist()) & set(found.cases.histories[case].tolist())


def test_progress_names_each_model(dataset: Dataset, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        evaluate({TWIN: model_of(dataset, 1)}, dataset, ["mrr"], progress=LineProgress(stream))
    assert "evaluating student without distillation" in (tmp_path / "log").read_text()


def test_a_model_of_another_catalogue_is_refused(dataset: Dataset) -> None:
    with pytest.raises(ConfigError, match="another catalogue"):
        evaluate({STUDENT: random_model(dataset.num_items + 1)}, dataset)


@pytest.mark.parametrize("models", [{}, {STUDENT: []}])
def test_no_model_is_refused(models: Any, dataset: Dataset) -> None:
    with pytest.raises(ConfigError, match="no model"):
        evaluate(models, dataset)


def test_an_unknown_metric_is_refused_before_anything_is_ranked(dataset: Dataset) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'ndcg@k'"):
        evaluate({STUDENT: model_of(dataset, 1)}, dataset, ["ndgc@10"])
    with pytest.raises(ValidationError, match="Did you mean 'recall@k'"):
        EvaluationConfig(metrics=("recal@10",))


def test_an_empty_test_is_refused(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    from recdistill.evaluation import protocol

    monkeypatch.setattr(protocol, "open_test", lambda folder: open_test(folder).take(slice(0, 0)))
    with pytest.raises(DataError, match="no cases"):
        evaluate({STUDENT: model_of(dataset, 1)}, dataset)


def test_lists_are_as_long_as_the_longest_metric_of_lists() -> None:
    assert EvaluationConfig(metrics=("ndcg@50", "coverage@3")).depth == 10
    assert EvaluationConfig(metrics=("ndcg@50", "coverage@30")).depth == 30
