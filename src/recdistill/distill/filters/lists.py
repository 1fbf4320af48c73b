"""Lists of items cut to some of their columns."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Int64
from torch import Tensor

from recdistill.distill.filters.contract import Heard


def chosen(heard: Heard, columns: Int64[Tensor, "positions n"]) -> Heard:
    """The listed items at `columns`; the probability of the others goes to the rest.

    With p the teacher's probabilities at the signal's own temperature, rest' = log(e^rest + Σ_dropped p).
    """
    signal = heard.signal
    logs = (signal["logits"] / heard.temperature).scatter(1, columns, -torch.inf)
    rest = torch.logaddexp(signal["rest"], logs.logsumexp(1))
    cut = {name: signal[name].gather(1, columns) for name in ("items", "logits")}
    return replace(heard, signal={**signal, **cut, "rest": rest})
