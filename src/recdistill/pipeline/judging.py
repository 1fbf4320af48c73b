"""Judging teachers: the run's own, the members of an ensemble, and others beside them, on validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recdistill.config.found import only_told
from recdistill.config.located import LocatedYaml
from recdistill.config.refusals import refusal
from recdistill.data.cases import Cases
from recdistill.errors import ConfigError, DataError
from recdistill.evaluation import roles
from recdistill.evaluation.calibration import beliefs
from recdistill.evaluation.cost import Cost, cost_of
from recdistill.evaluation.judging.candidates import among
from recdistill.evaluation.judging.contract import Known, Panel, Part
from recdistill.evaluation.judging.document import judgement
from recdistill.evaluation.judging.standings import in_ranking
from recdistill.evaluation.options import EvaluationConfig
from recdistill.evaluation.protocol import examine
from recdistill.evaluation.rankings import Ranking
from recdistill.evaluation.report.teachers import save_judgement
from recdistill.models.popularity import Popularity
from recdistill.models.recommender import Recommender
from recdistill.pipeline.pipeline import stage_key
from recdistill.pipeline.proof import members
from recdistill.pipeline.run_folder import RunFolder
from recdistill.pipeline.stages import Stage
from recdistill.pipeline.teaching import teaching
from recdistill.settings import Settings
from recdistill.teachers import TeacherConfig, load_teacher
from recdistill.teachers.accounts import Account, account_of, together
from recdistill.teachers.calibration import temperature
from recdistill.teachers.mixture import Mixture
from recdistill.teachers.opinions import Opinions
from recdistill.teachers.questions import Questions
from recdistill.teachers.reranked import Reranked
from recdistill.teachers.sparing import judges

if TYPE_CHECKING:
    from recdistill.pipeline.pipeline import Pipeline

CASES = 20_000
"""So many validation cases are asked, where nothing else is said: more would tell nothing new."""


class _Further(Settings):
    """The part of another configuration that is read."""

    teacher: TeacherConfig


@dataclass(frozen=True)
class Candidate:
    """A teacher to be judged.

    Attributes:
        part: what it is to the run.
        model: through which it speaks.
        seconds: of fitting it, where known.
        teacher: who speaks through it, of a member nobody.
        weight: in the ensemble, of a member.
        remarks: what fitting found out.
    """

    part: Part
    model: Recommender
    seconds: float | None = None
    teacher: object = None
    weight: float | None = None
    remarks: Sequence[str] = ()


def judged(pipeline: Pipeline, others: Sequence[Path], cases: int | None) -> Path:
    """The folder with `teachers.json` and `teachers.html`.

    Raises:
        ConfigError: one of `others` is no configuration, or its teacher is wrong.
        DataError: there are no validation cases.
    """
    named = _named(others)
    settings = {name: further(path) for name, path in named.items()}  # refused before training
    if not len(pipeline.dataset.valid):
        raise DataError(
            f"{pipeline.dataset.name} has no validation cases, on which teachers could be judged.",
            "Give the validation a part of the split: `dataset.split.valid`.",
        )
    candidates = _own(pipeline)
    identities = [pipeline.teacher.identity().digest]
    for name, config in settings.items():
        outcome = teaching(pipeline, f"teachers/{name}", config)
        teacher = load_teacher(outcome.folder, pipeline.dataset, trusting=config)
        identities.append(teacher.identity().digest)
        candidates[f"{roles.FURTHER}/{name}"] = _candidate("further", teacher, outcome.seconds)
    key = stage_key(
        pipeline.dataset.fingerprint,
        pipeline.config.evaluation.model_dump(mode="json"),
        [*zip(("", *named), identities, strict=True)],
        cases or CASES,
    )

    def make(folder: Path) -> None:
        save_judgement(folder, judgement(look(pipeline, candidates, cases or CASES)))

    return pipeline.stage(Stage("judging", key, make)).folder


def _named(others: Sequence[Path]) -> dict[str, Path]:
    """A name for each, by its file or folder; numbered where two are equal."""
    found: dict[str, Path] = {}
    for path in others:
        stem, number = path.stem or path.resolve().name, 2
        name = stem
        while name in found:
            name, number = f"{stem}-{number}", number + 1
        found[name] = path
    return found


def further(path: Path) -> TeacherConfig:
    """The teacher of a configuration file, or of a run folder (which is told, not trusted); nothing else of it is read.

    Raises:
        ConfigError: it has none, or a wrong one, or a folder lets code run that comes with a model.
    """
    from pydantic import ValidationError

    file = RunFolder(path).config_file if path.is_dir() else path
    source = LocatedYaml.read(file)
    if "teacher" not in source.data:
        raise ConfigError(f"{path} has no `teacher:` section.", "Give a configuration of a run.")
    try:
        found = _Further.model_validate({"teacher": source.data["teacher"]})
    except ValidationError as error:
        raise refusal(error, _Further, source) from None
    if path.is_dir():
        only_told(found, file)
    return found.teacher


def _own(pipeline: Pipeline) -> dict[str, Candidate]:
    """The run's teacher, and of whom it is made."""
    teacher = pipeline.teacher
    seconds = pipeline.outcomes["teacher"].seconds
    found = {roles.TEACHER: _candidate("teacher", teacher, seconds)}
    notes = {one["name"]: one for one in teacher.notes.get("members", ())}
    for name, model in members(teacher.recommender, teacher.notes).items():
        known = notes.get(name, {})
        remarks = tuple(known.get("remarks", ()))
        member = Candidate("member", model, weight=known.get("weight"), remarks=remarks)
        found[f"{roles.TEACHER}/{name}"] = member
    return found


def _candidate(part: Part, teacher: Any, seconds: float) -> Candidate:
    model, remarks = teacher.recommender, tuple(teacher.notes.get("remarks", ()))
    return Candidate(part, model, seconds, teacher, remarks=remarks)


def _account(teacher: object, model: Recommender) -> dict[str, Any]:
    found = account_of(teacher) or _spent(model)
    return found.facts() if found else {}


def _spent(model: Recommender) -> Account | None:
    """The account of a model or of its judge; of an ensemble, its members' together."""
    if isinstance(model, Mixture | Opinions):
        found = [account for one in model.members if (account := _spent(one))]
        return together(found) if found else None
    return account_of(model, *([model.judge] if isinstance(model, Reranked) else ()))


def look(pipeline: Pipeline, candidates: Mapping[str, Candidate], at_most: int) -> Panel:
    """Everything that a judgement is made of; the same cases for all, about `at_most` of them.

    Raises:
        DataError: teachers that are paid by the question have no case in common.
    """
    dataset, config = pipeline.dataset, _with_accuracy(pipeline.config.evaluation)
    models = {role: one.model for role, one in candidates.items()}
    questions = Questions.ask(list(models.values()), dataset, at_most)
    cases = questions.cases
    if not len(cases):
        raise DataError(
            "There is no validation case about which all teachers are asked.",
            "Raise their `sample`, or judge fewer of them at a time.",
        )
    popular = Popularity.for_dataset(dataset).fit(dataset)
    found = examine(
        {**models, roles.POPULARITY: popular},
        dataset,
        cases,
        "valid",
        config=config,
        progress=pipeline.run.progress,
    )
    known = {
        role: _known(one, found.rankings[role][0], cases, config, temperature(questions.of(place)))
        for place, (role, one) in enumerate(candidates.items())
    }
    left_out = [
        f"{one['name']} is no part of the ensemble: on validation it got no weight."
        for one in pipeline.teacher.notes.get("members", ())
        if not one["weight"]
    ]
    return Panel(found, known, left_out)


def _with_accuracy(config: EvaluationConfig) -> EvaluationConfig:
    """With a metric of accuracy first, since one decides."""
    if any(not metric.of_lists for metric in config.parsed):
        return config
    return config.model_copy(update={"metrics": ("ndcg@10", *config.metrics)})


def _known(
    one: Candidate, ranking: Ranking, cases: Cases, config: EvaluationConfig, heat: float
) -> Known:
    cost = {"fit_seconds": one.seconds, "seconds_per_case": ranking.seconds / len(cases)}
    return Known(
        part=one.part,
        standing=in_ranking(ranking, cases),
        beliefs=beliefs(one.model, cases),
        temperature=heat,
        among=among(one.model, cases),
        cost={**cost, **_costs(one.model, cases, config)},
        account=_account(one.teacher, one.model),  # last: what was asked above counts
        weight=one.weight,
        remarks=one.remarks,
    )


def _costs(model: Recommender, cases: Cases, config: EvaluationConfig) -> dict[str, Any]:
    """Nothing of who may be paid by the question: to time it would cost."""
    if judges(model):
        return {}
    found: Cost = cost_of(model, cases, config.latency_requests)
    return found.facts()
