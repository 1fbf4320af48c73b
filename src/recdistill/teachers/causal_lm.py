"""`causal-lm`: a decoder (Qwen, Llama, Gemma, GPT-2 …) as a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from recdistill.data.dataset import Dataset
from recdistill.models.recommender import Recommender
from recdistill.progress import SilentProgress
from recdistill.settings import Settings, validated
from recdistill.teachers.adapting.decoders import DecoderLesson, suited
from recdistill.teachers.adapting.pupil import ADAPTATION, WEIGHTS, home
from recdistill.teachers.adapting.settings import AdaptConfig, Lora
from recdistill.teachers.base import RecommenderBacked
from recdistill.teachers.candidates import reranking
from recdistill.teachers.decoding.grounded import Grounded, title_tokens
from recdistill.teachers.decoding.judge import LikelihoodJudge
from recdistill.teachers.decoding.listing import Listing
from recdistill.teachers.decoding.making import grounded, listing
from recdistill.teachers.decoding.settings import SourceConfig
from recdistill.teachers.decoding.source import Source
from recdistill.teachers.decoding.speaking import Embedding, Generate, Likelihood, Speaking
from recdistill.teachers.decoding.voice import Voice, VoiceConfig
from recdistill.teachers.prompts import Template
from recdistill.teachers.reranked import Reranked
from recdistill.training.options import RunOptions


class CausalLMConfig(SourceConfig, VoiceConfig):
    """Which model, how it is asked, and how it speaks."""

    kind: Literal["causal-lm"] = "causal-lm"
    speaks: Speaking = Likelihood()
    """How what it says becomes a recommendation."""
    adapt: AdaptConfig | None = Field(default=None, exclude_if=lambda given: given is None)
    """How the model is fine-tuned on the log before it speaks; not at all when not given."""
    title: str | None = None
    """How an item is called; by its column `title` or `name` where there is one, else by the dataset's own template."""

    @model_validator(mode="after")
    def _can_be_adapted(self) -> Self:
        if self.adapt is None:
            return self
        if self.adapter is not None:
            raise ValueError(
                "`adapt` makes an adapter, so it cannot begin with another: drop one of the two"
            )
        if self.spread:
            raise ValueError("a model that is `spread` over several GPUs cannot be fine-tuned here")
        with validated():
            suited(self.adapt, says_titles=self.says_titles)
        return self

    @property
    def says_titles(self) -> bool:
        """Whether it speaks by naming titles, and not by vectors alone."""
        return not isinstance(self.speaks, Embedding)

    @property
    def besides(self) -> list[str]:
        """What it reads beside the dataset: the model's files, where it is a folder, and the template."""
        return [*super().besides, Template.read(self.prompt).identity]


class CausalLMTeacher(RecommenderBacked):
    """A language model that reads histories and speaks of titles."""

    Config: ClassVar[type[Settings]] = CausalLMConfig
    config: CausalLMConfig

    @property
    def name(self) -> str:
        """The model's, and how it speaks."""
        return f"{Path(self.config.model).name}, {self.config.speaks.kind}"

    def _fitted(self, dataset: Dataset, run: RunOptions) -> Recommender:
        speaks = self.config.speaks
        source, learned = self._taught(dataset, run)
        voice = self._voice(source, dataset, run)
        self._note(voice, dataset, run)
        self.notes |= learned
        if isinstance(speaks, Likelihood):
            made, found = reranking(speaks, LikelihoodJudge(voice, speaks.per), dataset, run)
        elif isinstance(speaks, Generate):
            made, found = listing(speaks, voice, dataset, run)
        else:
            made, found = grounded(speaks, voice, dataset)
        self.notes = {**self.notes, **found}
        return made

    def _taught(self, dataset: Dataset, run: RunOptions) -> tuple[SourceConfig, dict[str, Any]]:
        """The model, fine-tuned if it is to be, and what there is to note of that."""
        source, how = part(self.config, SourceConfig), self.config.adapt
        if how is None:
            return source, {}
        voice = self._voice(source, dataset, run)
        lesson = DecoderLesson(
            voice.source.decoder,
            self.config.model,
            voice.prompts,
            voice.lines if self.config.says_titles else title_tokens(voice, voice.titles),
            self.config.history,
            dataset,
            suited(how, says_titles=self.config.says_titles),
            voice.identity,
        )
        folder = home(run) / ADAPTATION
        notes = lesson.learn(folder, run.part(ADAPTATION))
        return became(source, how, folder), {"adaptation": notes}

    def _voice(self, source_config: SourceConfig, dataset: Dataset, run: RunOptions) -> Voice:
        config, progress = self.config, run.progress or SilentProgress()
        source = Source(source_config, run.device, progress.say)
        asking = part(config, VoiceConfig)
        titles = dataset.items.texts(config.title or template(dataset))
        return Voice(source, titles, asking, Template.read(config.prompt))

    def _note(self, voice: Voice, dataset: Dataset, run: RunOptions) -> None:
        """What is found out before anything is trained, so that what is wrong is told at once."""
        silent, say = len(voice.trie.untitled), (run.progress or SilentProgress()).say
        self.texts = dataset.items.text_hash(self.config.title or template(dataset))
        self.notes = {
            "files": voice.source.revision,
            "commit": voice.source.commit,
            "voice": voice.identity,
            "dtype": str(voice.source.decoder.dtype).removeprefix("torch."),
            "branches": "shared" if voice.source.shares else "plain",
            "items_without_title": silent,
        }
        if voice.source.commit and self.config.revision != voice.source.commit:
            say(f"`revision: {voice.source.commit}` pins {self.config.model} to what it is now.")
        if silent:
            say(f"{silent} items have no title, so the language model cannot name them.")

    def _read_model(self, folder: Path) -> Recommender:
        kinds = (Reranked, Listing, Grounded)
        kind = next((kind for kind in kinds if (folder / kind.RECORD).is_file()), Recommender)
        return kind.load(folder)


def became(source: SourceConfig, how: AdaptConfig, folder: Path) -> SourceConfig:
    """The model with what it learned in `folder`; as it was, where that was not kept."""
    weights = (folder / WEIGHTS).resolve()
    if not weights.is_dir():
        return source
    if isinstance(how, Lora):
        return source.model_copy(update={"adapter": str(weights)})
    return source.model_copy(update={"model": str(weights), "revision": None})


def template(dataset: Dataset) -> str | None:
    """By what items are called, where the dataset has a column for it."""
    column = dataset.items.called_by
    return f"{{{column}}}" if column else None


def part(config: CausalLMConfig, kind: type[Settings]) -> Any:
    """The settings of one kind among those of several."""
    return kind.model_validate({name: getattr(config, name) for name in kind.model_fields})
