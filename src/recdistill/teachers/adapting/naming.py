"""What a decoder is fine-tuned for: the title of the next item after a prompt, or a state near that title's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from recdistill.data.sequences import Sequences
from recdistill.teachers.adapting.contrastive import in_batch_softmax, of_own_window
from recdistill.teachers.adapting.reading import Reader, Tokens
from recdistill.teachers.decoding.branches import padded
from recdistill.teachers.decoding.decoder import Decoder
from recdistill.training.step import Moment, StepLoss, TorchBatch

Prompts = Callable[[Sequences], list[Tokens]]
"""The tokens of the prompt about each history."""


@dataclass(frozen=True)
class Line:
    """A prompt and the title that goes on from it."""

    prompt: Tokens
    title: Tokens

    def __len__(self) -> int:
        return len(self.prompt) + len(self.title)


def windows(batch: TorchBatch) -> tuple[Sequences, Int64[Tensor, " rows"]]:
    """The windows of a batch as histories, in its order, and the last position of each: where something comes next."""
    items, ends = batch.items.cpu().numpy().astype("int32"), batch.ends.cpu()
    lengths = torch.cat([torch.full((rows,), length) for _, rows, length in batch.runs])
    stops = (ends + 1).numpy()
    return Sequences(items, stops - lengths.numpy(), stops), ends


class TitleLoss:
    """Mean over windows of −log p(title | prompt), summed over the title's tokens, its end included."""

    def __init__(
        self, decoder: Decoder, prompts: Prompts, titles: Sequence[Tokens], at_once: int
    ) -> None:
        """`titles`: the tokens of each item's; an item without is never what is to be said."""
        self._decoder, self._prompts, self._titles, self.at_once = decoder, prompts, titles, at_once

    def __call__(self, batch: TorchBatch, moment: Moment) -> StepLoss:
        """The loss of what follows the windows of `batch`; the same at every moment."""
        histories, ends = windows(batch)
        answers = [self._titles[item] for item in batch.targets.cpu()[ends].tolist()]
        pairs = zip(self._prompts(histories), answers, strict=True)
        lines = [Line(prompt, title) for prompt, title in pairs if title]
        if not lines:
            total = torch.zeros((), device=batch.items.device, requires_grad=True)
        else:
            total = self.losses(lines).mean()
        return StepLoss(total, {"next-title": total.detach()}, len(lines))

    def losses(self, lines: Sequence[Line]) -> Float[Tensor, " lines"]:
        """Of each line; a few are read at a time."""
        return self._reader(lines)(torch.arange(len(lines)))

    def fit_memory(self, histories: Sequences, module: nn.Module) -> None:
        """Halve `at_once` until the prompts about so many of `histories`, each with the longest title, can be learned
        from together; `module` is what reads.
        """
        title = max(self._titles, key=len)
        reader = self._reader([Line(prompt, title) for prompt in self._prompts(histories)])
        reader.fit_memory(module)
        self.at_once = reader.at_once

    def _reader(self, lines: Sequence[Line]) -> Reader:
        return Reader(lambda some: said(self._decoder, some), lines, self.at_once)


def said(decoder: Decoder, lines: Sequence[Line]) -> Float[Tensor, " lines"]:
    """−log p(title | prompt) of each line, in one pass with gradients; logits are made for titles only."""
    # Titles stand at the right, so lines are filled up on the left.
    backwards = [[*line.prompt, *line.title][::-1] for line in lines]
    tokens, mask = (part.flip(1) for part in padded(backwards, decoder.device))
    longest = max(len(line.title) for line in lines)
    logits = decoder.model(
        input_ids=tokens,
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1).clamp_min(0),
        use_cache=False,
        logits_to_keep=longest + 1,
    ).logits[:, :-1]
    sizes = torch.tensor([len(line.title) for line in lines], device=logits.device)
    of_title = torch.arange(longest, 0, -1, device=logits.device) <= sizes[:, None]
    losses = nn.functional.cross_entropy(
        logits.float().transpose(1, 2), tokens[:, -longest:].to(logits.device), reduction="none"
    )
    return (losses * of_title).sum(1)


class NearTitleLoss:
    """Mean over windows of the in-batch softmax between the state in which a prompt leaves the model and the last
    states of the titles of the batch's next items, all of length 1."""

    def __init__(
        self,
        decoder: Decoder,
        prompts: Prompts,
        titles: Sequence[Tokens],
        counts: Float[Tensor, " items"],
        temperature: float,
        at_once: int,
    ) -> None:
        """`counts`: how often each item is in the log; `titles` as they are read for vectors."""
        self._decoder, self._prompts, self._titles, self.at_once = decoder, prompts, titles, at_once
        self._log_chances = (counts.double() / counts.sum()).log().float()
        self._temperature = temperature

    def __call__(self, batch: TorchBatch, moment: Moment) -> StepLoss:
        """The loss of what follows the windows of `batch`; the same at every moment."""
        histories, ends = windows(batch)
        targets = batch.targets.cpu()[ends]
        some = torch.tensor([bool(self._titles[item]) for item in targets.tolist()])
        prompts = self._prompts(histories.take(some.nonzero()[:, 0].numpy()))
        drawn, right, times = targets[some].unique(return_inverse=True, return_counts=True)
        texts = [*prompts, *(self._titles[item] for item in drawn.tolist())]
        vectors = self._reader(texts)(torch.arange(len(texts)))
        own = of_own_window(batch, drawn.to(batch.items.device))[batch.ends][some]
        weights = times.log() - math.log(max(len(prompts), 1)) - self._log_chances[drawn]
        with torch.autocast(vectors.device.type, enabled=False):
            logits = vectors[: len(prompts)] @ vectors[len(prompts) :].T / self._temperature
            device = logits.device
            total = in_batch_softmax(
                logits, right.to(device), weights.to(device), own.to(device)
            ).mean()
        return StepLoss(total, {"contrastive": total.detach()}, len(prompts))

    def fit_memory(self, histories: Sequences, module: nn.Module) -> None:
        """Halve `at_once` until the prompts about so many of `histories`, and as many titles, can be learned from
        together; `module` is what reads.
        """
        longest = sorted(self._titles, key=len)[-len(histories) :]
        reader = self._reader([*self._prompts(histories), *longest])
        reader.fit_memory(module)
        self.at_once = reader.at_once

    def _reader(self, texts: Sequence[Tokens]) -> Reader:
        return Reader(lambda some: states(self._decoder, some), texts, self.at_once)


def states(decoder: Decoder, texts: Sequence[Tokens]) -> Float[Tensor, "texts width"]:
    """The state after the last token of each text, of length 1, in one pass with gradients."""
    tokens, mask = padded(texts, decoder.device)
    body = decoder.model.base_model
    hidden = body(input_ids=tokens, attention_mask=mask, use_cache=False).last_hidden_state
    ends = (mask.sum(1) - 1).to(hidden.device)
    last = hidden[torch.arange(len(hidden), device=hidden.device), ends].float()
    return nn.functional.normalize(last, dim=1)
