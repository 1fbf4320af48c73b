"""The bundle's `README.md`: what it is, for whoever finds it."""

from __future__ import annotations

from recdistill.bundle.manifest import Manifest

_USE = """\
```python
import recdistill as rd                    # pip install 'recdistill[serve]': no PyTorch

bundle = rd.load_bundle("path/to/this/folder")
bundle.recommend([["{first}", "{second}"]], k=10)   # raw item ids, oldest first
bundle.similar_items(["{first}"])
```"""


def card(info: Manifest, example: tuple[str, str]) -> str:
    """Markdown made of facts only; `example` are two raw ids of the catalogue."""
    return (
        "\n\n".join(
            part
            for part in (
                f"# {info.model.kind} recommender for {info.dataset.name}",
                f"A student exported by RecDistill {info.recdistill}"
                + (f" on {info.created}." if info.created else "."),
                _facts(info),
                _measured(info),
                "## Use",
                _USE.format(first=example[0], second=example[1]),
                "`manifest.json` holds a checksum of every file; loading refuses a bundle that was changed.",
            )
            if part
        )
        + "\n"
    )


def _facts(info: Manifest) -> str:
    model, data, agreement = info.model, info.dataset, info.agreement
    rows = {
        "model": f"{model.kind}, {model.width} wide, {model.precision}",
        "sees": f"the latest {model.history} items" if model.history else "no history",
        "trained on": f"{data.events:,} events of {data.users:,} users with {data.items:,} items",
        "dataset fingerprint": f"`{data.fingerprint}`",
        "weights": f"`{model.weights[:16]}`",
        "checked": f"same top 10 as PyTorch for {agreement.histories:,} histories "
        f"({agreement.near_ties:,} with near-ties)",
    }
    if model.encoder:
        rows["layers"] = f"products in whole numbers of 8 bits, ranges {model.encoder.kind}"
    if info.narrowing:
        rows["in fewer bits"] = f"keeps {info.narrowing.kept:.2%} of its top ten as float32"
    if info.index:
        rows["index"] = (
            f"finds {info.index.recall:.2%} of the twenty best in {info.index.milliseconds:.2g} ms"
            f" (all of them: {info.index.exact_milliseconds:.2g} ms)"
        )
    if info.reasons:
        rows["reasons"] = (
            f"{info.reasons.count:,}, in the teacher's words; they may tell what people took"
        )
    return "\n".join(
        ["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items())]
    )


def _measured(info: Manifest) -> str:
    if not info.metrics:
        return ""
    rows = [f"| {name} | {_written(value)} |" for name, value in sorted(info.metrics.items())]
    seeds = info.metrics.get("seeds", 1)
    note = [f"Means over {seeds:.0f} seeds; this bundle holds the student of one of them.", ""]
    return "\n".join(
        ["## Measured", "", *(note if seeds > 1 else []), "| metric | value |", "|---|---|", *rows]
    )


def _written(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"
