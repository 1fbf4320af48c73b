"""Causal language models of a few thousand weights and a tokenizer of a few hundred pieces, made on the spot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

TEXTS = [
    *(f"The {kind} story {number}" for number in range(40) for kind in ("crime", "space", "music")),
    "I watched these films, oldest first. Which one comes next? Title:",
]
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def save_tokenizer(folder: Path, texts: Sequence[str] = TEXTS, *, chat: bool = False) -> int:
    """A byte-level BPE trained on the texts; returns the size of its vocabulary."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>" if chat else "<|endoftext|>",
        additional_special_tokens=special,
    )
    if chat:
        fast.chat_template = CHAT
    fast.save_pretrained(folder)
    return len(fast)


def save_decoder(
    folder: Path, kind: str, texts: Sequence[str] = TEXTS, *, chat: bool = False, scale: float = 0.4
) -> Path:
    """A model of this kind with weights drawn wide (`scale`), so that what it reads matters to what it says."""
    import torch
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    size = save_tokenizer(folder, texts, chat=chat)
    torch.manual_seed(0)
    name, settings = _KINDS[kind]
    config = getattr(transformers, f"{name}Config")(
        vocab_size=size, bos_token_id=None, eos_token_id=0, pad_token_id=None, **settings
    )
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.ndim > 1:
                weights.normal_(0, scale)
    model.save_pretrained(folder)
    return folder


_ROTARY = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "head_dim": 8,
}
_KINDS = {
    "gpt2": ("GPT2", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}),
    "llama": ("Llama", _ROTARY),
    "qwen3": ("Qwen3", _ROTARY),
    "gemma3": (
        "Gemma3Text",
        {**_ROTARY, "sliding_window": 64, "layer_types": ["sliding_attention", "full_attention"]},
    ),
    "mistral": ("Mistral", {**_ROTARY, "sliding_window": 64}),
    # It tells places by the count of what the mask shows, not by `position_ids`.
    "bloom": ("Bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4}),
    # It mixes tokens by a state that knows no masks.
    "mamba": ("Mamba", {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4}),
}
KINDS = tuple(_KINDS)
