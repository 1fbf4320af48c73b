from __future__ import annotations

import pytest
import torch
from judges import ScriptedConfig, ScriptedTeacher

from recdistill.data.cases import Cases
from recdistill.signals import HardLabel, TopK
from recdistill.teachers import ensemble, label, load_teacher, loading
from recdistill.teachers.blending import Blend
from recdistill.teachers.calibration import temperature
from recdistill.teachers.candidates import CandidatesConfig, RerankingTeacher
from recdistill.teachers.ensemble import EnsembleTeacher
from recdistill.teachers.questions import Questions
from recdistill.teachers.recommender import RecommenderTeacher, RecommenderTeacherConfig
from recdistill.teachers.sparing import judges

CANDIDATES = {"model": {"kind": "item-knn"}, "number": 6}


def config(**settings) -> ScriptedConfig:
    return ScriptedConfig(candidates=CANDIDATES, **settings)


def heard(teacher: RerankingTeacher) -> int:
    return len(judges(teacher.recommender)[0].judge.heard)


def test_its_base_is_the_trained_recommender_and_calibrated(tiny_dataset):
    teacher = ScriptedTeacher(config()).fit(tiny_dataset)
    alone = RecommenderTeacher.of(model=CANDIDATES["model"]).fit(tiny_dataset).recommender
    found, histories = teacher.recommender.base, tiny_dataset.valid.histories
    assert torch.equal(found.score(found.states(histories)), alone.score(alone.states(histories)))
    heat = temperature(Questions.ask([alone], tiny_dataset))
    assert teacher.recommender.config.temperature == heat
    assert teacher.notes["temperature"] == pytest.approx(heat, abs=1e-6)


class Knowing(ScriptedTeacher):
    """Its judge has seen the answers, and says them of the candidates."""

    def _judge(self, dataset, run):
        judge = super()._judge(dataset, run)
        judge.history = 50
        cases: Cases = dataset.valid
        told = {
            cases.histories[row][-50:].tobytes(): int(cases.targets[row][0])
            for row in range(len(cases))
        }
        judge.word = lambda history, item: float(told.get(history.tobytes()) == item)
        return judge


def test_a_judge_counts_as_much_as_validation_has_it(tiny_dataset):
    nonsense = ScriptedTeacher(config(sample=None)).fit(tiny_dataset)
    knowing = Knowing(config(sample=None)).fit(tiny_dataset)
    assert knowing.recommender.config.blend.judge > 2
    assert nonsense.recommender.config.blend.judge < 0.3
    for teacher in (nonsense, knowing):
        notes = teacher.notes
        assert notes["asked"] == notes["answered"] == len(tiny_dataset.valid)
        assert 0 < notes["proposed"] < notes["asked"]
        assert f"in {notes['proposed']} of them" in notes["remarks"][0]


def test_how_much_it_counts_may_be_given_and_then_nobody_is_asked(tiny_dataset):
    blend = Blend(base=0.2, judge=3.0)
    teacher = ScriptedTeacher(config(blend=blend)).fit(tiny_dataset)
    assert teacher.recommender.config.blend == blend
    assert not heard(teacher)


def test_fitting_asks_about_no_more_than_the_sample(tiny_dataset):
    teacher = ScriptedTeacher(config(sample=12)).fit(tiny_dataset)
    assert 0 < heard(teacher) == teacher.notes["asked"] <= 12


def test_it_labels_every_context_and_again_the_same(tiny_dataset, tmp_path):
    teacher = ScriptedTeacher(config(silence=True, blend=Blend())).fit(tiny_dataset)
    kinds = [TopK(k=5), HardLabel()]
    signals = label(teacher, tiny_dataset, tmp_path / "one", kinds)
    contexts = tiny_dataset.contexts().distinct()
    assert heard(teacher) == len(contexts), "labelling asks about all of them, each once"
    rows = signals["top-k"].find(contexts.keys)
    assert (rows >= 0).all()
    said = signals["top-k"].read(rows[:40])
    model = teacher.recommender
    some = contexts.take(slice(0, 40)).histories
    scores = model.score(model.states(model.trimmed(some)))
    for row in range(40):
        best = sorted(range(scores.shape[1]), key=lambda i: (-scores[row, i], i))[:5]
        assert said["items"][row].tolist() == best
    label(teacher, tiny_dataset, tmp_path / "two", kinds)
    one, two = (sorted((tmp_path / name).rglob("*.safetensors")) for name in ("one", "two"))
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]


@pytest.fixture
def known_kind(monkeypatch):
    """`scripted` among the kinds of teachers."""
    monkeypatch.setitem(ensemble.TEACHERS, ScriptedConfig, ScriptedTeacher)
    monkeypatch.setattr(
        loading, "make_teacher", lambda given: ScriptedTeacher(ScriptedConfig(**given))
    )


def test_it_is_saved_and_read_back(tiny_dataset, tmp_path, known_kind):
    teacher = ScriptedTeacher(config()).fit(tiny_dataset)
    teacher.save(tmp_path)
    again = load_teacher(tmp_path, tiny_dataset)
    assert again.identity() == teacher.identity()
    histories = tiny_dataset.valid.histories
    models = [one.recommender for one in (teacher, again)]
    scores = [model.score(model.states(histories)) for model in models]
    assert torch.equal(*scores)


@pytest.mark.parametrize("combine", ["mean", "probabilities"])
def test_it_is_a_member_of_ensembles(tiny_dataset, tmp_path, known_kind, combine):
    members = (
        config(sample=20, blend=Blend()),
        RecommenderTeacherConfig(model={"kind": "popularity"}),
    )
    settings = ensemble.EnsembleConfig.model_construct(
        kind="ensemble",
        members=members,
        weights=(0.5, 0.5),
        combine=ensemble.EnsembleConfig(members=members[1:], combine={"kind": combine}).combine,
    )
    teacher = EnsembleTeacher(settings).fit(tiny_dataset)
    assert 0 < heard(teacher) <= 20, "members are weighed on a sample where one of them is dear"
    teacher.recommender.save(tmp_path)
    again = type(teacher.recommender).load(tmp_path)
    some = tiny_dataset.valid.histories.take(slice(0, 9))
    assert torch.equal(
        again.score(again.states(some)), teacher.recommender.score(teacher.recommender.states(some))
    )


def test_defaults_are_written_out():
    written = CandidatesConfig().model_dump()
    assert written["model"]["kind"] == "sasrec"
    assert written["model"]["width"] == 64
    with pytest.raises(ValueError, match="sasrec"):
        CandidatesConfig(model={"kind": "sasrek"})


def test_its_identity_depends_on_the_judge(tiny_dataset):
    found = {
        ScriptedTeacher(config(seed=seed, blend=Blend())).fit(tiny_dataset).identity().revision
        for seed in (0, 1)
    }
    assert len(found) == 2
