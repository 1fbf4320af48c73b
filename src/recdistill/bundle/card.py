"""The bundle's `README.md`: what it is, for whoever finds it."""

from __future__ import annotations

from recdistill.bundle.manifest import AboutEntry, Manifest

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
                _said(info),
                _measured(info),
                _lists(info),
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


def _said(info: Manifest) -> str:
    about = info.about or AboutEntry()
    use = about.intended_use or (
        "To rank items of this catalogue for people whose events are like those it was trained on. Nobody has said "
        "more; what it does elsewhere was not measured."
    )
    return "\n\n".join(
        (
            "## Made of",
            f"- teacher: {about.teacher or 'not told'}; licence: {about.teacher_licence or 'not told'}\n"
            f"- data: {info.dataset.name}; licence: {about.data_licence or 'not told'}",
            "## Intended use",
            use,
        )
    )


def _lists(info: Manifest) -> str:
    if info.lists is None:
        return ""
    lists = info.lists
    return (
        "## Bias\n\n"
        "Learned from what people took of what they were shown, and not from what they would have liked. Of its top "
        f"tens for {lists.histories:,} histories, {lists.popular:.1%} of the places go to the most popular tenth of "
        f"the items, which has {lists.popular_events:.1%} of the training events; {lists.coverage:.1%} of the "
        "catalogue stands in any of them. Differences between groups of people were not measured."
    )


def _measured(info: Manifest) -> str:
    if not info.metrics:
        return ""
    rows = [f"| {name} | {_interval(info, name)} |" for name in sorted(_points(info))]
    seeds = info.metrics.get("seeds", 1)
    note = [f"Means over {seeds:.0f} seeds; this bundle holds the student of one of them.", ""]
    return "\n".join(
        ["## Measured", "", *(note if seeds > 1 else []), "| metric | value |", "|---|---|", *rows]
    )


def _points(info: Manifest) -> list[str]:
    """The metrics that are no end of another's interval."""
    ends = {f"{name}/{end}" for name in info.metrics for end in ("low", "high")}
    return [name for name in info.metrics if name not in ends]


def _interval(info: Manifest, name: str) -> str:
    """A value, and its interval where it has one."""
    ends = [info.metrics.get(f"{name}/{end}") for end in ("low", "high")]
    told = _written(info.metrics[name])
    if ends[0] is None or ends[1] is None:
        return told
    return f"{told} [{_written(ends[0])}, {_written(ends[1])}]"


def _written(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"
