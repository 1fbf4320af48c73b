"""Ask a bundle, without PyTorch: `python examples/recommend.py runs/quickstart/bundle 50 181 172`."""

from __future__ import annotations

import sys

import recdistill as rd

folder, *history = sys.argv[1:]
bundle = rd.load_bundle(folder)
best = bundle.recommend([history], k=10)
print(best.join(bundle.items, on="item_id", how="left", maintain_order="left"))
