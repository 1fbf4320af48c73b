"""Rewrites the table of claims in `docs/benchmarks.md` from what the benchmarks kept.

    python benchmarks/table.py

Only what stands between the two markers changes; a claim that does not hold is shown as not holding.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common import RESULTS, ROOT, table

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- claims: begin -->", "<!-- claims: end -->"


def section(name: str, record: Mapping[str, Any]) -> str:
    """One benchmark: where and what was measured, and its claims."""
    machine = record["environment"]
    packages = ", ".join(f"{key} {value}" for key, value in machine["packages"].items())
    rows = [
        {
            "claim": claim["claim"],
            "value": f"{claim['value']:.4g}",
            "target": f"{claim['bound']} {claim['target']:.4g}",
            "holds": "yes" if claim["holds"] else "**no**",
        }
        for claim in record["claims"]
    ]
    return "\n\n".join(
        [
            f"### {name.capitalize()}",
            f"Size `{record['size']}`, commit `{record['commit']}`; {machine['processor']}, "
            f"{machine['cores']} cores, {machine['memory_gb']} GiB, {machine['system']}, "
            f"Python {machine['python']}, {packages}.",
            table(rows) if rows else "No claims: its rows are for reading.",
        ]
    )


def rewritten(page: str, sections: str) -> str:
    """`page` with `sections` between its markers.

    Raises:
        SystemExit: the page does not hold each marker once, in order.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in after:
        raise SystemExit(f"The page needs '{BEGIN}' and then '{END}', each once.")
    return f"{before}{BEGIN}\n\n{sections}\n\n{END}{after}"


def kept(folder: Path) -> str:
    """The sections of all results in `folder`, by name."""
    return "\n\n".join(
        section(path.stem, json.loads(path.read_text())) for path in sorted(folder.glob("*.json"))
    )


def main() -> None:
    PAGE.write_text(rewritten(PAGE.read_text(), kept(RESULTS)))


if __name__ == "__main__":
    main()
