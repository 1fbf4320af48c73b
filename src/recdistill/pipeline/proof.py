"""The proof: everything measured on the test, once, and told on one page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recdistill.config.tree import to_yaml
from recdistill.data.holdout import open_test
from recdistill.data.sequences import Sequences
from recdistill.distill.scrutiny import advice
from recdistill.evaluation import roles
from recdistill.evaluation.cost import labelling
from recdistill.evaluation.evaluation import Evaluation
from recdistill.evaluation.examples import examples
from recdistill.evaluation.inheritance import inheritance
from recdistill.evaluation.outcomes import outcomes
from recdistill.evaluation.protocol import Models, by_role, evaluate
from recdistill.evaluation.reasons import explained
from recdistill.evaluation.report import Curve, Explained, Story, save_report
from recdistill.files import read_json
from recdistill.models.popularity import Popularity
from recdistill.models.recommender import Recommender, SequenceModel
from recdistill.pipeline.controls import controls
from recdistill.pipeline.students import Students, Trained
from recdistill.teachers import sparing
from recdistill.teachers.accounts import KeepsAccount, together
from recdistill.teachers.base import RecommenderBacked
from recdistill.teachers.mixture import Mixture
from recdistill.teachers.opinions import Opinions
from recdistill.teachers.reranked import Reranked

if TYPE_CHECKING:
    from recdistill.pipeline.pipeline import Pipeline


def prove(pipeline: Pipeline, folder: Path) -> None:
    """Evaluate teacher, students, twins and popularity, and write `metrics.json` and `report.html`."""
    dataset, config, students = pipeline.dataset, pipeline.config, pipeline.students
    models = contestants(pipeline)
    evaluation = evaluate(models, dataset, config=config.evaluation, progress=pipeline.run.progress)
    timing = {
        f"{name}_seconds": outcome.seconds
        for name, outcome in pipeline.outcomes.items()
        if outcome.seconds
    }
    inherited = inheritance(models, dataset, evaluation, pipeline.run.progress)
    headed = outcomes({**by_role(models, dataset), **tutors(students)}, evaluation)
    metrics = evaluation.to_metrics(
        timing,
        {**labelling(reader.manifest for reader in pipeline.signals.values()), **_paid(pipeline)},
        [
            *(pipeline.former.sentences(pipeline.signals) if pipeline.former else ()),
            *advice(pipeline.recipe, dataset, pipeline.signals),
            *remarks(pipeline.teacher),
            *pipeline.signals.silences,
            *([pipeline.selection.sentence] if pipeline.selection else ()),
            *_sparing(pipeline.teacher.recommender, evaluation.cases.histories),
            *controls(config),
        ],
        inherited,
        headed,
    )
    story = Story(
        title=dataset.name,
        curves=curves(students),
        examples=examples(evaluation, dataset),
        reasons=_reasons(pipeline, evaluation),
        configuration=to_yaml(config.model_copy(update={"recipe": pipeline.recipe})),
        environment=read_json(pipeline.folder.path / "environment.json"),
        warnings=(*controls(config), *warnings(pipeline)),
        links={"bundle": "../bundle"},
        choice=pipeline.choice,
    )
    save_report(folder, metrics, story)


def _reasons(pipeline: Pipeline, evaluation: Evaluation) -> tuple[Explained, ...]:
    """Of the test where the teacher was asked about it, else of validation: lists are about the end of training."""
    return explained(
        pipeline.teacher.recommender,
        pipeline.students.student[0].model,
        pipeline.dataset,
        [evaluation.cases, pipeline.dataset.valid],
        filter_seen=bool(evaluation.dataset["filter_seen"]),
        seed=evaluation.config.seed,
    )


def contestants(pipeline: Pipeline) -> Models:
    """Every model of the comparison, by role; an ensemble's members, or the recommender whose candidates a judge puts
    in order, stand beside it. A judge is asked about a sample of the test."""
    students, cases = pipeline.students, open_test(pipeline.dataset.folder)
    teacher = sparing.spared(pipeline.teacher.recommender, cases.histories)
    parts = members(teacher, pipeline.teacher.notes)
    return {
        roles.TEACHER: teacher,
        **{f"{roles.TEACHER}/{name}": member for name, member in parts.items()},
        roles.STUDENT: [trained.model for trained in students.student],
        roles.TWIN: [trained.model for trained in students.twin],
        roles.POPULARITY: Popularity.for_dataset(pipeline.dataset).fit(pipeline.dataset),
    }


def _paid(pipeline: Pipeline) -> dict[str, Any]:
    """What a teacher who is paid by the question cost so far, in whatever run, and of how many contexts it was asked
    about those that were chosen."""
    heard = [model.judge for model in sparing.judges(pipeline.teacher.recommender)]
    spent = together(judge.account() for judge in heard if isinstance(judge, KeepsAccount)).facts()
    facts = {name: spent[name] for name in ("calls", "tokens", "money") if name in spent}
    chosen = pipeline.selection.facts if pipeline.selection else {}
    return {**facts, **({"of": chosen["of"]} if chosen else {})}


def _sparing(teacher: Recommender, histories: Sequences) -> tuple[str, ...]:
    return sparing.remarks(sparing.spared(teacher, histories), histories)


def members(together: Recommender, notes: Mapping[str, Any]) -> dict[str, Recommender]:
    """Of whom a teacher is made, by name, as far as they count in it."""
    if isinstance(together, Reranked):
        return {"candidates": together.base}
    if not isinstance(together, Mixture | Opinions):
        return {}
    names = [member["name"] for member in notes["members"] if member["weight"] > 0]
    return dict(zip(names, together.members, strict=True))


def tutors(students: Students) -> dict[str, list[SequenceModel]]:
    """Whom the students heard beside their teacher; every seed had its own."""
    names = students.student[0].tutors
    return {f"tutor/{name}": [one.tutors[name] for one in students.student] for name in names}


def remarks(teacher: RecommenderBacked) -> tuple[str, ...]:
    """What fitting the teacher found out and readers should know, a sentence each."""
    return tuple(teacher.notes.get("remarks", ()))


def curves(students: Students) -> tuple[Curve, ...]:
    """The learning curves of every seed of both arms."""
    found: list[Curve] = []
    for role, arm in ((roles.STUDENT, students.student), (roles.TWIN, students.twin)):
        for seed, trained in enumerate(arm):
            found += _curves(role, seed, trained)
    return tuple(found)


def _curves(role: str, seed: int, trained: Trained) -> list[Curve]:
    epochs = list(enumerate(trained.log.epochs, start=1))
    measured = tuple((float(e), one.validation) for e, one in epochs if one.validation is not None)
    names = epochs[0][1].losses if epochs else {}
    losses = [
        Curve(role, name, tuple((float(e), one.losses[name]) for e, one in epochs), seed, loss=True)
        for name in names
    ]
    return [Curve(role, trained.log.metric, measured, seed), *losses]


def warnings(pipeline: Pipeline) -> tuple[str, ...]:
    """What a reader must know and the metrics do not tell."""
    notes = pipeline.teacher.notes
    return tuple(str(notes[name]) for name in ("fallback",) if notes.get(name))
