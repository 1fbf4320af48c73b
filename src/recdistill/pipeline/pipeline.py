"""The stages in order: data → teacher → signals → students → report → bundle.

Each method brings its stage up to date, and first those it stands on. A stage's key is made from the hashes of
what it reads, so that a change anywhere redoes what depends on it and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recdistill import __version__
from recdistill.config.compressing import WHOLE
from recdistill.config.found import load_found
from recdistill.config.tree import RunConfig, load_config, to_yaml
from recdistill.data.dataset import Dataset
from recdistill.data.preparation import input_identity, prepare
from recdistill.data.reading import read_dataset
from recdistill.data.sources.registry import open_log
from recdistill.distill.recipe import Recipe
from recdistill.errors import ConfigError
from recdistill.evaluation.headline import headline
from recdistill.files import content_hash, read_json, write_text
from recdistill.pipeline import students as arms
from recdistill.pipeline.run_folder import RunFolder
from recdistill.pipeline.stages import Outcome, Stage, StageRunner
from recdistill.progress import SilentProgress, progress_for
from recdistill.training.options import RunOptions

if TYPE_CHECKING:
    from recdistill.data.reasons import Reasons
    from recdistill.pipeline.former import FormerRun
    from recdistill.pipeline.selecting import Selected
    from recdistill.signals.carrying import Former
    from recdistill.signals.collection import Signals
    from recdistill.teachers.base import RecommenderBacked


class Pipeline:
    """One run: a configuration, a folder, and the circumstances."""

    def __init__(self, config: RunConfig, folder: RunFolder, run: RunOptions) -> None:
        """Nothing is read or written before a stage is asked for."""
        self.config = config
        self.folder = folder
        self.run = run
        self._runner = StageRunner(folder.path, self._tell)
        self.outcomes: dict[str, Outcome] = {}

    def _tell(self, line: str) -> None:
        if self.run.progress:
            self.run.progress.say(line)

    def stage(self, stage: Stage) -> Outcome:
        """Bring one stage up to date, and note it in the log."""
        self.folder.note("stage", name=stage.name, key=stage.key)
        outcome = self._runner.run(stage)
        self.folder.note(
            "stage done", name=stage.name, made=outcome.made, seconds=round(outcome.seconds, 3)
        )
        self.outcomes[stage.name] = outcome
        return outcome

    def options(self, name: str, folder: Path, seed: int = 0) -> RunOptions:
        """The circumstances of one training: its name, its folder, its seed."""
        return replace(self.run, name=name, folder=folder, seed=seed, trackers=self.config.trackers)

    @cached_property
    def dataset(self) -> Dataset:
        """The prepared data."""
        former = self.former  # refused before anything is made
        self._begin()
        settings = self.config.dataset
        key = stage_key(input_identity(open_log(settings), settings))
        outcome = self.stage(Stage("dataset", key, lambda folder: void(prepare(settings, folder))))
        dataset = read_dataset(outcome.folder)
        arms.require_outcomes(self.config, dataset)
        if former:
            former.check(dataset)
        return dataset

    @cached_property
    def former(self) -> FormerRun | None:
        """The earlier run from which this one goes on."""
        from recdistill.pipeline.former import FormerRun

        return FormerRun(self.config, self.folder.path) if self.config.continues else None

    def _begin(self) -> None:
        self.folder.note("run")
        write_text(self.folder.config_file, to_yaml(self.config))
        self.folder.record_environment()

    @cached_property
    def features(self) -> Path | None:
        """The folder of what the students' items are made from, where it is not the log."""
        from recdistill.pipeline.item_features import made

        return made(self)

    @cached_property
    def teacher(self) -> RecommenderBacked:
        """The fitted teacher."""
        from recdistill.pipeline.teaching import teaching
        from recdistill.teachers import load_teacher

        dataset, settings, former = self.dataset, self.config.teacher, self.former
        _ = self.features  # whatever is wrong with them is told before training
        teach, origin = (former.taught, former.teacher_facts) if former else (None, ())
        outcome = teaching(self, "teacher", settings, teach, origin)
        if former and outcome.made:
            took = f"{outcome.seconds:.1f} s, where {former.seconds('teacher'):.1f} s were spent before"
            self._tell(f"teacher: goes on from {former.how.run}; {took}.")
        return load_teacher(outcome.folder, dataset, trusting=settings)

    @property
    def _teacher_key(self) -> str:
        from recdistill.pipeline.teaching import teacher_key

        origin = self.former.teacher_facts if self.former else ()
        return teacher_key(self.dataset, self.config.teacher, origin)

    def forecast(self) -> list[str]:
        """What asking the teacher, and those of phases, would cost, in lines; empty where nobody is asked. Nothing is
        trained for it."""
        from recdistill.teachers import load_teacher
        from recdistill.teachers.descriptions import descriptions
        from recdistill.teachers.forecast import forecasts

        made = self._runner.made(self._teacher_key)
        settings, dataset, engaged = self.config.teacher, self.dataset, self.config.recipe.engaged
        fitted = load_teacher(made, dataset, trusting=settings) if made else None
        found = forecasts(settings, dataset, fitted, self.config.select.budget)
        found += [one.unjudged for who in engaged for one in forecasts(who, dataset)]
        told = [line for one in found for line in one.lines]
        return [*told, *descriptions((settings, *engaged, self.config.features), dataset)]

    @cached_property
    def said_before(self) -> Former | None:
        """What was said in the run from which this one goes on."""
        return self.former.said(self.dataset) if self.former else None

    @cached_property
    def selection(self) -> Selected | None:
        """The contexts that the teacher is asked about; `None` where these are all."""
        from recdistill.pipeline.selecting import selected

        return selected(self)

    @cached_property
    def signals(self) -> Signals:
        """What the teacher said."""
        from recdistill.signals.collection import Signals
        from recdistill.signals.manifest import DatasetIdentity, Expectation
        from recdistill.teachers import label

        teacher, dataset, kinds = self.teacher, self.dataset, self.config.signals
        about = DatasetIdentity(name=dataset.name, fingerprint=dataset.fingerprint)
        asked = [kind.model_dump(mode="json") for kind in kinds]
        who = teacher.identity().model_dump(mode="json")
        said, selection = self.said_before, self.selection
        key = stage_key(
            dataset.fingerprint,
            who,
            asked,
            *([self.spoken(said.signals)] if said else []),
            *([selection.identity] if selection else []),
        )

        def ask(folder: Path) -> None:
            chosen = selection.keys if selection else None
            found = label(
                teacher, dataset, folder, kinds, self.run.progress, former=said, chosen=chosen
            )
            if self.former and said:
                self._tell_carried(self.former, found)

        folder = self.stage(Stage("signals", key, ask)).folder
        return Signals.open(folder, Expectation(about, teacher.identity()))

    @property
    def said(self) -> list[str]:
        """What came of asking chat models since this command began, a sentence each."""
        from recdistill.teachers.listwise import ChatJudge
        from recdistill.teachers.sparing import judges

        heard = [model.judge for model in judges(self.teacher.recommender)]
        told = [judge.tally.sentence for judge in heard if isinstance(judge, ChatJudge)]
        return [sentence for sentence in told if sentence]

    def _tell_carried(self, former: FormerRun, signals: Signals) -> None:
        line = f"{former.counted(signals)}; about {former.saved(signals):.0f} s of labelling saved"
        self.folder.note("carried", what=line)
        self._tell(f"signals: {line}.")

    @cached_property
    def recipe(self) -> Recipe:
        """How the students learn: as configured, or as chosen."""
        return self.resolved(self.config.recipe)

    def resolved(self, recipe: Recipe) -> Recipe:
        """A recipe that leaves nothing to be chosen."""
        return Recipe.model_validate(self.chosen(recipe)["recipe"]) if recipe.auto else recipe

    @property
    def choice(self) -> dict[str, Any]:
        """What was tried, chosen and why; empty where the recipe was given."""
        return self.chosen(self.config.recipe) if self.config.recipe.auto else {}

    def chosen(self, recipe: Recipe) -> dict[str, Any]:
        """The content of `choice.json` of a recipe that leaves something to be chosen."""
        from recdistill.pipeline.choice import choose

        return read_json(choose(self, recipe))

    @cached_property
    def students(self) -> arms.Students:
        """The students of every seed, with and without distillation."""
        distilled, undistilled = (of(self.recipe) for of in (arms.distilled, arms.undistilled))
        pairs = [
            (self.train(distilled, seed), self.train(undistilled, seed))
            for seed in range(self.config.evaluation.seeds)
        ]
        return arms.Students([student for student, _ in pairs], [twin for _, twin in pairs])

    def train(self, arm: arms.Arm, seed: int, after: arms.Trained | None = None) -> arms.Trained:
        """A student of one arm and seed; one that another arm trained already is taken over.

        It begins as what `after` became, where that is given.
        """
        signals = self.signals if arm.distilled else None
        spoken = self.spoken(signals) if signals else []
        start = after or (self.former.student(arm, seed) if self.former else None)
        key = stage_key(
            self.dataset.fingerprint,
            self.config.student.model_dump(mode="json"),
            arm.recipe.model_dump(mode="json", by_alias=True, context={"decides": True}),
            arm.paced(self.config.training).model_dump(mode="json"),
            arm.epochs(self.config.training.epochs),
            seed,
            spoken,
            *arms.besides(arm.recipe, self.features),
            *([start.identity] if start else []),
        )
        name = f"{arm.folder}/seed-{seed}"

        def make(folder: Path) -> None:
            from recdistill.pipeline.guarding import guarded

            if made := self._runner.made(key):
                arms.copy(made, folder)
                return
            arms.train(
                self.config,
                self.dataset,
                signals,
                arm,
                folder,
                guarded(
                    arm.recipe,
                    self.dataset,
                    self.options(f"{arm.title}, seed {seed}", folder, seed),
                ),
                self.teacher.recommender if arm.recipe.asks else None,
                self.features,
                start and start.model,
            )

        return arms.load(self.stage(Stage(name, key, make)).folder, self.dataset)

    @staticmethod
    def spoken(signals: Signals) -> list[Any]:
        """What the teacher said, and who it is; how long it took does not matter to a student."""
        return [
            reader.manifest.model_dump(mode="json", exclude={"seconds"})
            for _, reader in sorted(signals.items())
        ]

    def evaluate(self) -> dict[str, Any]:
        """The content of `metrics.json`; the page lies beside it."""
        return _metrics(self.stage(self._report()).folder)

    def _report(self) -> Stage:
        from recdistill.pipeline.proof import prove

        settings = self.config.evaluation.model_dump(mode="json")
        trained = [one.identity for one in (*self.students.student, *self.students.twin)]
        key = stage_key(settings, self.teacher.identity().revision, trained)
        return Stage("report", key, lambda folder: prove(self, folder))

    @property
    def report_file(self) -> Path:
        """The page."""
        return self.folder.path / "report" / "report.html"

    def explain(self) -> dict[str, Any]:
        """The content of `explanation.json`: why distillation helped or hurt; the page lies beside it."""
        from recdistill.pipeline.explanation import explain

        trained = [one.identity for one in (*self.students.student, *self.students.twin)]
        key = stage_key(
            self.config.evaluation.model_dump(mode="json"),
            self.recipe.model_dump(mode="json", by_alias=True),
            self.teacher.identity().revision,
            self.spoken(self.signals),
            trained,
        )
        stage = self.stage(Stage("explanation", key, lambda folder: explain(self, folder)))
        return read_json(stage.folder / "explanation.json")

    @property
    def explanation_file(self) -> Path:
        """The page that explains."""
        return self.folder.path / "explanation" / "explanation.html"

    def judge(self, others: Sequence[Path] = (), cases: int | None = None) -> dict[str, Any]:
        """The content of `teachers.json`: what the teacher, its members and `others` are worth; the page lies beside.

        Args:
            others: configurations (or run folders) whose teachers are judged too, fitted on this dataset.
            cases: about so many validation cases are asked.
        """
        from recdistill.pipeline.judging import judged

        return read_json(judged(self, others, cases) / "teachers.json")

    @property
    def judgement_file(self) -> Path:
        """The page about teachers."""
        return self.folder.path / "judging" / "teachers.html"

    def compress(self) -> dict[str, Any]:
        """The content of `compression.json`: smaller students, and what they lose; the page lies beside it."""
        from recdistill.pipeline.lessening import compared

        return read_json(compared(self) / "compression.json")

    @property
    def compression_file(self) -> Path:
        """The page about smaller students."""
        return self.folder.path / "compression" / "compression.html"

    def export(self) -> Path:
        """The bundle of the distilled student that validation likes best, or of a smaller one that is asked for.

        It carries the main numbers of the report, if there is one of these very students.

        Raises:
            BundleError: it cannot leave, or loses more than `compression.tolerance`; what was there before stays.
        """
        from recdistill.bundle.export import export
        from recdistill.bundle.manifest import FORMAT
        from recdistill.pipeline.card import about
        from recdistill.pipeline.lessening import leaving, require_bearable

        chosen = leaving(self)
        settings, told = self.config.bundle, self._reasons()
        # The report knows nothing of students that were made smaller after it.
        measured = self._measured() if settings.student == WHOLE else {}
        parts = [FORMAT, settings.model_dump(mode="json"), chosen.identity, measured]
        if self.config.compression:
            parts.append(self.config.compression.tolerance.model_dump())
        key = stage_key(*parts, *([told.identity] if told else []))

        def write(folder: Path) -> None:
            export(
                chosen.model,
                self.dataset,
                folder,
                precision=settings.precision,
                encoder=settings.encoder,
                index=settings.index,
                about=about(self.config),
                checks=settings.checks,
                metrics=measured,
                reasons=told,
            )

        stage = Stage("bundle", key, write)
        if not self._runner.current(stage):
            require_bearable(self)
        return self.stage(stage).folder

    def _reasons(self) -> Reasons | None:
        """The teacher's reasons, where they are to leave with the bundle."""
        from recdistill.pipeline.reasons import gathered

        if not self.config.bundle.reasons:
            return None
        told = gathered(self)
        self._tell(f"bundle: {len(told):,} reasons, in the teacher's words.")
        return told

    def _measured(self) -> dict[str, float]:
        report = self._runner.current(self._report())
        return headline(_metrics(report)) if report else {}


def open_pipeline(
    target: Path,
    into: Path | None,
    assignments: list[str],
    *,
    device: str | None = None,
    threads: int | None = None,
    quiet: bool = False,
) -> Pipeline:
    """The pipeline of a configuration file, or of a run folder made from one: what that says is told, not trusted.

    Raises:
        ConfigError: the configuration is wrong, or `target` is neither.
    """
    config, home = _resolve(target, assignments)
    return Pipeline(config, RunFolder(into or home), circumstances(device, threads, quiet))


def circumstances(device: str | None, threads: int | None, quiet: bool) -> RunOptions:
    """How a command runs, as its options say."""
    progress = SilentProgress() if quiet else progress_for()
    return RunOptions(device=device, threads=threads, progress=progress)


def _resolve(target: Path, assignments: list[str]) -> tuple[RunConfig, Path]:
    if not target.is_dir():
        return load_config(target, assignments), Path("runs") / target.stem
    folder = RunFolder(target)
    if not folder.config_file.is_file():
        raise ConfigError(
            f"{target} is no run folder: it has no config.yaml.",
            "Give a configuration file, or the folder of an earlier `recdistill run`.",
        )
    return load_found(folder.config_file, assignments), target


def stage_key(*parts: Any) -> str:
    """A stage's key; another version of the code may make something else of the same `parts`."""
    return content_hash([__version__, *parts])


def _metrics(report: Path) -> dict[str, Any]:
    return read_json(report / "metrics.json")


def void(_: object) -> None:
    """Forget a result that is also on disk."""
