"""RecBole's own path: `Trainer.evaluate` over its full-sort loader, `Collector` and `Evaluator`.

Only the loader's batches and the model's scores are ours: the states are given, so that encoding is not
timed. RecBole reserves item 0 for padding; our items are 1 … n there.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace

import inputs
import numpy as np
import torch
from recbole.data.dataloader import FullSortEvalDataLoader
from recbole.data.interaction import Interaction
from recbole.evaluator import Collector, Evaluator
from recbole.trainer import Trainer
from recbole.utils import EvaluatorType

for alias, kind in {
    "float": float,
    "bool": bool,
}.items():  # RecBole 1.2 uses names that NumPy dropped
    setattr(np, alias, kind)


class Batches(FullSortEvalDataLoader):
    """Cases a batch at a time, as RecBole's loader gives them."""

    def __init__(self, seen: torch.Tensor, targets: torch.Tensor, items: int, batch: int) -> None:
        self.seen, self.targets, self.batch = seen, targets, batch
        self._dataset = SimpleNamespace(item_num=items + 1, get_item_feature=lambda: torch.empty(0))

    def __len__(self) -> int:
        return -(-len(self.targets) // self.batch)

    def __iter__(self):
        for first in range(0, len(self.targets), self.batch):
            rows = torch.arange(first, min(first + self.batch, len(self.targets)))
            local = torch.arange(len(rows))
            seen = self.seen[rows]
            history = (local.repeat_interleave(seen.shape[1]), seen.reshape(-1) + 1)
            yield Interaction({"row": rows}), history, local, self.targets[rows] + 1


def main(cases: int, items: int) -> None:
    torch.set_num_threads(1)
    given = {name: torch.from_numpy(value) for name, value in inputs.make(cases, items).items()}
    table = torch.cat([torch.zeros(1, inputs.WIDTH), given["table"]])
    config = {
        "metrics": ["NDCG", "Recall", "MRR", "Hit", "Precision"],
        "topk": [10],
        "eval_args": {"mode": "full"},
        "device": torch.device("cpu"),
        "metric_decimal_place": 9,
        "eval_type": EvaluatorType.RANKING,
        "single_spec": True,
    }

    def run(batch: int) -> dict[str, float]:
        trainer = SimpleNamespace(
            model=SimpleNamespace(
                eval=lambda: None,
                full_sort_predict=lambda found: given["states"][found["row"]] @ table.T,
            ),
            config=config,
            device=torch.device("cpu"),
            eval_collector=Collector(config),
            evaluator=Evaluator(config),
            item_tensor=torch.empty(0),
            gpu_available=False,
            wandblogger=SimpleNamespace(log_eval_metrics=lambda *found, **named: None),
        )
        trainer._full_sort_batch_eval = lambda found: Trainer._full_sort_batch_eval(trainer, found)
        loader = Batches(given["seen"], given["targets"], items, batch)
        return dict(Trainer.evaluate(trainer, loader, load_best_model=False))

    inputs.serve({"batch 4096": lambda: run(4096), "batch 256": lambda: run(256)})


main(int(sys.argv[1]), int(sys.argv[2]))
