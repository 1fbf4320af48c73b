from __future__ import annotations

import numpy as np
import pytest
from chat_server import chat_server, knowing

from recdistill.asking import BudgetConfig, Cost
from recdistill.signals import TopK
from recdistill.teachers import forecast as module
from recdistill.teachers import label, make_teacher
from recdistill.teachers.descriptions import descriptions
from recdistill.teachers.features.student import TextFeatures
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


def test_profiles_are_planned_like_any_question(small, configured, tmp_path):
    """One a context with a history; what one says is known then, and what it takes is what it took."""
    with chat_server(knowing) as server:
        config = configured(server, words={"of": "profile"}, blend={"judge": 1.0})
        (before,) = forecasts(config, small)
        contexts = small.contexts().distinct().histories
        assert before.profiling is not None
        assert before.profiling.calls == (contexts.lengths > 0).sum()
        assert 0 < before.profiling.likely.picos <= before.profiling.at_most.picos
        assert before.lines[3].startswith("  to profile ")
        assert not server.seen
        teacher = make_teacher(config).fit(small)
        asked = len(server.seen)
        config.words.texts(teacher.recommender, contexts)
        assert len(server.seen) - asked == before.profiling.calls
        assert forecasts(config, small, teacher)[0].profiling.calls == 0
        (few,) = forecasts(config, small, contexts=7)
        assert few.profiling.questions <= 7
        (none,) = forecasts(configured(server, words={"of": "rationale"}, rationale=True), small)
        assert none.profiling is None


def test_the_time_of_a_model_that_was_never_asked_is_unknown(small, configured):
    with chat_server(knowing) as server:
        config = configured(server, blend={"judge": 1.0})
        (before,) = forecasts(config, small)
        assert "time unknown" not in str(before.fitting), "nothing to ask takes no time"
        assert "time unknown" in str(before.labelling)
        make_teacher(configured(server)).fit(small)
        (after,) = forecasts(config, small)
        assert after.labelling.calls
        assert "time unknown" not in str(after.labelling)


@pytest.fixture
def describing(tmp_path):
    def by(server, model):
        return {
            "endpoint": {"base_url": server.url, "model": model},
            "ledger": str(tmp_path / "ledger.sqlite"),
        }

    return by


def test_descriptions_are_foretold_wherever_they_are_read(small, describing, tmp_path):
    """By a member of an ensemble, by whom reads texts about users, and by what students are made of; each once."""
    texts = len(set(small.items.texts()))
    with chat_server(knowing) as server:
        reading = {"kind": "text-encoder", "model": "x", "describing": describing(server, "member")}
        about = {"kind": "texts", "path": "users.jsonl"}
        items = {"kind": "text", "model": "x", "describing": describing(server, "beside users")}
        vectors = {"kind": "file-vectors", "users": about, "items": items}
        popular = {"kind": "recommender", "model": {"kind": "popularity"}}
        ensemble = teacher_config.validate_python(
            {"kind": "ensemble", "members": [reading, vectors, popular]}
        )
        students = TextFeatures(model="x", describing=describing(server, "students"))
        found = descriptions((ensemble, students), small)
        again = TextFeatures(model="y", describing=describing(server, "member"))
        assert descriptions((ensemble, again), small) == found[:2]
        assert not server.seen
    assert [line.split(":")[0] for line in found] == ["member", "beside users", "students"]
    assert all(f"{texts} calls (0 of" in line for line in found)
    assert (
        descriptions((teacher_config.validate_python(popular), TextFeatures(model="x")), small)
        == []
    )


def test_descriptions_of_the_domain_one_comes_from_are_foretold_too(
    small, make_dataset, make_source, describing, tmp_path
):
    with chat_server(knowing) as server:
        teacher = {"kind": "text-encoder", "model": "x", "describing": describing(server, "m")}
        there = make_source(tmp_path / "there", users=8, items=15, events=90)
        config = teacher_config.validate_python(
            {"kind": "transfer", "source": {"source": str(there)}, "teacher": teacher}
        )
        found = descriptions((config, None), small)
        assert not server.seen
    assert len(found) == 2
    assert f"{len(set(small.items.texts()))} calls (0 of" in found[1]
