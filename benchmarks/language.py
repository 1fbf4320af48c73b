"""A causal language model over a catalogue: likelihoods of candidates' titles, and titles named by beams.

Every round scores other histories in both ways, one way after the other, so that what else the machine does hurts
both alike. The plain way is transformers' own: the pairs of a history and its candidates as one batch, and logits of
the titles' tokens only. The models are drawn at random, for speed and equality do not depend on what was learned.

    python benchmarks/language.py [--size small|full] [--threads 1] [--device cpu]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Claim, finish
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from recdistill.teachers.decoding.beam import ranked
from recdistill.teachers.decoding.decoder import Decoder
from recdistill.teachers.decoding.likelihood import log_likelihoods
from recdistill.teachers.decoding.probing import branching
from recdistill.teachers.decoding.settings import SourceConfig
from recdistill.teachers.decoding.titles import spoken
from recdistill.teachers.decoding.trie import Trie

CANDIDATES, HISTORY, ITEMS = 50, 20, 5_000
AT_ONCE = 4  # histories that we score together; the plain way's batch is the pairs of one
BEAMS, NAMED_AT_ONCE = 10, 25
WORDS = (
    "night river of the house last summer king stone blood moon garden return dead city paper love war winter dream "
    "silent ghost star road fire island girl man boy lost golden black white secret life story day world end king's"
)


@dataclass(frozen=True)
class Size:
    """How large the model is, and how much it is asked."""

    width: int
    layers: int
    rounds: int
    outputs: int


SIZES = {"small": Size(64, 2, 5, 10_000), "full": Size(512, 8, 15, 10_000)}


def titles(count: int) -> list[str]:
    """Made-up ones, many of which begin alike, as series do."""
    draw, found = np.random.default_rng(0), dict[str, None]()
    while len(found) < count:
        words = draw.choice(WORDS.split(), size=draw.integers(2, 6)).tolist()
        found[f"{' '.join(words).title()} ({draw.integers(1930, 2024)})"] = None
    return list(found)


def save_model(folder: Path, size: Size, texts: list[str]) -> None:
    """A Llama with grouped queries, and a byte-level BPE that was trained on the titles."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4_000,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>")
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=size.width,
        intermediate_size=3 * size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=8,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        initializer_range=0.2,
        bos_token_id=None,
        eos_token_id=0,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)


def plainly(
    model: Any, prompts: list[list[int]], lines: list[list[int]], candidates: np.ndarray
) -> np.ndarray:
    """Each pair of history and title read on its own, by transformers alone."""
    found = np.zeros(candidates.shape)
    for row, prompt in enumerate(prompts):
        chosen = [lines[item] for item in candidates[row]]
        longest = max(map(len, chosen))
        tokens = torch.zeros(len(chosen), len(prompt) + longest, dtype=torch.int64)
        mask = torch.zeros_like(tokens)
        for place, line in enumerate(chosen):
            whole = prompt + line
            tokens[place, : len(whole)] = torch.tensor(whole)
            mask[place, : len(whole)] = 1
        with torch.inference_mode():
            logits = model(
                input_ids=tokens.to(model.device),
                attention_mask=mask.to(model.device),
                use_cache=False,
                logits_to_keep=longest + 1,
            ).logits
        # The last column kept comes after the last token; the first, after the prompt.
        said = logits[:, :-1].float().log_softmax(2)
        ids = tokens[:, len(prompt) :].to(model.device)
        steps = said.gather(2, ids[..., None])[..., 0] * mask[:, len(prompt) :].to(model.device)
        found[row] = steps.double().sum(1).cpu().numpy()
    return found


def timed(work: Callable[[], np.ndarray], device: torch.device) -> tuple[float, np.ndarray]:
    """The seconds that it took, and what came of it."""
    began = time.perf_counter()
    result = work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began, result


def prompts_of(
    decoder: Decoder, names: list[str], draw: np.random.Generator, count: int = AT_ONCE
) -> list[list[int]]:
    """As the templates that come with the package have them, but for the fence: a title a line."""
    texts = [
        "What the person took, oldest first:\n"
        + "\n".join(names[item] for item in draw.integers(len(names), size=HISTORY))
        + "\nNext:\n"
        for _ in range(count)
    ]
    return decoder.tokens(texts)


def scoring(
    decoder: Decoder, names: list[str], size: Size
) -> tuple[list[dict[str, Any]], list[Claim]]:
    lines = spoken(decoder, names, "\n", 48)
    trie, way, draw = Trie.of(lines), branching(decoder), np.random.default_rng(1)
    ours, plain, ratios, differences, lengths = [], [], [], [], []
    for number in range(size.rounds + 1):
        prompts = prompts_of(decoder, names, draw)
        chosen = np.stack([draw.permutation(len(names))[:CANDIDATES] for _ in prompts])
        quick, likely = timed(
            lambda asked=prompts, items=chosen: log_likelihoods(way(decoder, asked), trie, items),
            decoder.device,
        )
        slow, reference = timed(
            lambda asked=prompts, items=chosen: plainly(decoder.model, asked, lines, items),
            decoder.device,
        )
        if not number:
            continue  # the first round warms both up
        ours.append(quick)
        plain.append(slow)
        ratios.append(slow / quick)
        differences.append(float(np.abs(likely - reference).max()))
        lengths += map(len, prompts)
    pairs, ratio = AT_ONCE * CANDIDATES, statistics.median(ratios)
    rows = [
        {
            "way": name,
            "pairs_per_second": pairs / statistics.median(times),
            "ms_per_history": 1000 * statistics.median(times) / AT_ONCE,
        }
        for name, times in (("shared prefix and trie", ours), ("pairs by transformers", plain))
    ]
    rows[0] |= {"times_plain": ratio, "prompt_tokens": statistics.mean(lengths)}
    claims = [
        Claim(
            f"{CANDIDATES} candidates' titles are scored this many times as fast as pair by pair",
            ratio,
            5.0,
        ),
        Claim("largest difference of a log-likelihood", max(differences), 1e-4, "at most"),
    ]
    return rows, claims


def naming(
    decoder: Decoder, names: list[str], size: Size
) -> tuple[list[dict[str, Any]], list[Claim]]:
    """Ten titles a history by beams; what their tokens spell is looked up among the titles."""
    trie, way, draw = (
        Trie.of(spoken(decoder, names, "\n", 48)),
        branching(decoder),
        np.random.default_rng(2),
    )
    known, said, outside, began = set(names), 0, 0, time.perf_counter()
    while said < size.outputs:
        prompts = prompts_of(decoder, names, draw, NAMED_AT_ONCE)
        found = ranked(way(decoder, prompts), len(prompts), trie, width=BEAMS, count=BEAMS)
        paths = [trie.paths[item] for item in found.items[found.items >= 0]]
        texts = decoder.tokenizer.batch_decode([trie.tokens[path[path > 0]] for path in paths])
        outside += sum(text.removesuffix("\n") not in known for text in texts)
        said += len(texts)
    rate = said / (time.perf_counter() - began)
    rows = [{"way": f"{said:,} titles named by {BEAMS} beams", "titles_per_second": rate}]
    return rows, [Claim(f"outputs outside the catalogue, of {said:,}", outside, 0, "at most")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    size, names = SIZES[options.size], titles(ITEMS)
    with tempfile.TemporaryDirectory() as temporary:
        save_model(Path(temporary), size, names)
        config = SourceConfig(model=temporary, dtype="float32")
        decoder = Decoder.load(Path(temporary), config, options.device)
        scored, fast = scoring(decoder, names, size)
        named, inside = naming(decoder, names, size)
    finish("language", options.size, [*scored, *named], [*fast, *inside])


if __name__ == "__main__":
    main()
