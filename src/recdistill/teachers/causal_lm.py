"""`causal-lm`: a decoder (Qwen, Llama, Gemma, GPT-2 …) as a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from recdistill.data.dataset import Dataset
from recdistill.models.recommender import Recommender
from recdistill.progress import SilentProgress
from recdistill.settings import Settings
from recdistill.teachers.base import RecommenderBacked
from recdistill.teachers.candidates import reranking
from recdistill.teachers.decoding.grounded import Grounded
from recdistill.teachers.decoding.judge import LikelihoodJudge
from recdistill.teachers.decoding.listing import Listing
from recdistill.teachers.decoding.making import grounded, listing
from recdistill.teachers.decoding.settings import SourceConfig
from recdistill.teachers.decoding.source import Source
from recdistill.teachers.decoding.speaking import Generate, Likelihood, Speaking
from recdistill.teachers.decoding.voice import Voice, VoiceConfig
from recdistill.teachers.prompts import Template
from recdistill.teachers.reranked import Reranked
from recdistill.training.options import RunOptions


class CausalLMConfig(SourceConfig, VoiceConfig):
    """Which model, how it is asked, and how it speaks."""

    kind: Literal["causal-lm"] = "causal-lm"
    speaks: Speaking = Likelihood()
    """How what it says becomes a recommendation."""
    title: str | None = None
    """How an item is called; by its column `title` or `name` where there is one, else by the dataset's own template."""

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
        voice = self._voice(dataset, run)
        self._note(voice, dataset, run)
        if isinstance(speaks, Likelihood):
            made, found = reranking(speaks, LikelihoodJudge(voice, speaks.per), dataset, run)
        elif isinstance(speaks, Generate):
            made, found = listing(speaks, voice, dataset, run)
        else:
            made, found = grounded(speaks, voice, dataset)
        self.notes = {**self.notes, **found}
        return made

    def _voice(self, dataset: Dataset, run: RunOptions) -> Voice:
        config, progress = self.config, run.progress or SilentProgress()
        source = Source(part(config, SourceConfig), run.device, progress.say)
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


def template(dataset: Dataset) -> str | None:
    """By what items are called, where the dataset has a column for it."""
    names = [name for name in ("title", "name") if name in dataset.items.fields]
    return f"{{{names[0]}}}" if names else None


def part(config: CausalLMConfig, kind: type[Settings]) -> Any:
    """The settings of one kind among those of several."""
    return kind.model_validate({name: getattr(config, name) for name in kind.model_fields})
