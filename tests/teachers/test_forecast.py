from __future__ import annotations

import numpy as np
import pytest
from chat_server import chat_server, knowing

from recdistill.asking import BudgetConfig, Cost
from recdistill.signals import TopK
from recdistill.teachers import forecast as module
from recdistill.teachers import label, make_teacher
from recdistill.teachers.forecast import forecasts
from recdistill.teachers.loading import teacher_config


@pytest.fixture
def small(make_dataset, tmp_path):
    return make_dataset(tmp_path, users=8, items=20, events=90)


@pytest.fixture
def configured(tmp_path):
    def make(server, **settings):
        return teacher_config.validate_python(
            {
                "kind": "chat",
                "endpoint": {
                    "base_url": server.url,
                    "model": "m",
                    "prices": {"input": 1.0, "output": 2.0},
                },
                "candidates": {"model": {"kind": "item-knn"}, "number": 5},
                "ledger": str(tmp_path / "ledger.sqlite"),
                "sample": 4,
                "form": "text",
                **settings,
            }
        )

    return make


def test_it_foretells_the_calls_and_asks_nobody(small, configured, tmp_path):
    contexts = len(small.contexts().distinct())
    with chat_server(knowing) as server:
        config = configured(server)
        (before,) = forecasts(config, small)
        assert not server.seen
        assert (before.fitting.questions, before.labelling.questions) == (8, 2 * contexts)
        assert before.labelling.calls == 2 * contexts
        assert before.evaluating == 2 * 4 * 2
        assert "about" in before.lines[1]
        assert "in money" in before.lines[2]
        assert make_teacher(config).fit(small).notes["asked"] <= 4
        assert len(server.seen) <= before.fitting.calls


def test_with_a_fitted_teacher_it_is_exact(small, configured, tmp_path):
    with chat_server(knowing) as server:
        config = configured(server, blend={"judge": 1.0})
        assert forecasts(config, small)[0].fitting.calls == 0, "there is nothing to find out"
        teacher = make_teacher(config).fit(small)
        (fitted,) = forecasts(config, small, teacher)
        asked = len(server.seen)
        label(teacher, small, tmp_path / "signals", [TopK(k=3)])
        assert len(server.seen) - asked == fitted.labelling.calls
        assert forecasts(config, small, teacher)[0].labelling.calls == 0


def test_members_of_ensembles_are_foretold_and_others_cost_nothing(small, configured):
    with chat_server(knowing) as server:
        members = [
            configured(server).model_dump(),
            {"kind": "recommender", "model": {"kind": "popularity"}},
        ]
        ensemble = teacher_config.validate_python({"kind": "ensemble", "members": members})
        assert [one.who for one in forecasts(ensemble, small)] == ["m"]
        alone = teacher_config.validate_python(members[1])
    assert forecasts(alone, small) == []


def test_of_many_contexts_some_are_looked_at(small, configured, monkeypatch):
    with chat_server(knowing) as server:
        config = configured(server, budget={"calls": 30})
        (whole,) = forecasts(config, small)
        monkeypatch.setattr(module, "_LOOKED_AT", 20)
        (part,) = forecasts(config, small)
    assert part.labelling.questions == pytest.approx(whole.labelling.questions, abs=2)
    assert part.labelling.calls == part.labelling.questions
    assert part.labelling.tokens == pytest.approx(whole.labelling.tokens, rel=0.1)
    assert part.labelling.affordable == 30


def test_the_tightest_bound_of_a_budget_tells_the_share():
    share = module._share
    budget = BudgetConfig(calls=100, tokens=1000, money=0.5)
    needed = Cost(200, 4000, 10**12)
    assert share(budget, Cost(), needed) == 0.25
    assert share(budget, Cost(90, 0, 0), needed) == 0.05
    assert share(budget, Cost(200, 0, 0), needed) == 0.0
    assert share(BudgetConfig(), Cost(), needed) == 1.0
    assert np.isclose(share(budget, Cost(), Cost(1, 1, 1)), 1.0)


def test_a_judge_that_counts_nothing_is_not_asked(small, configured):
    with chat_server(knowing) as server:
        config = configured(server, blend={"judge": 0.0})
        (found,) = forecasts(config, small, make_teacher(config).fit(small))
    assert found.labelling.calls == 0


def test_descriptions_and_profiles_are_foretold_too(small, configured, tmp_path):
    with chat_server(knowing) as server:
        describing = {
            "endpoint": {"base_url": server.url, "model": "m"},
            "ledger": str(tmp_path / "ledger.sqlite"),
        }
        reading = {"kind": "text-encoder", "model": "x", "describing": describing}
        members = [reading, {"kind": "recommender", "model": {"kind": "popularity"}}]
        ensemble = teacher_config.validate_python({"kind": "ensemble", "members": members})
        (line,) = module.descriptions(ensemble, small)
        assert not server.seen
        profiles = configured(server, words={"of": "profile"})
        (told,) = module.descriptions(profiles, small)
    assert f"{len(set(small.items.texts()))} calls (0 of" in line
    assert f"up to {len(small.contexts().distinct())} calls more" in told
    assert module.descriptions(teacher_config.validate_python(members[1]), small) == []
