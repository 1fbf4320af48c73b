"""A process that asks for labels, to be killed: `labeller.py LEDGER SETTINGS NUMBER OUT`.

SETTINGS is an `EndpointConfig` as JSON. OUT gets what was answered, as JSON, when all of it is there.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from recdistill.asking import Asker, BudgetConfig, EndpointConfig, Ledger, Message, Request


def label(ledger: Path, settings: str, number: int, out: Path) -> None:
    endpoint = EndpointConfig.model_validate_json(settings)
    asked = [
        Request((Message("user", f"label {index}"),), {"max_tokens": 50}) for index in range(number)
    ]
    with Ledger(ledger) as opened:
        asker = Asker(endpoint, opened, BudgetConfig(calls=10 * number), account="labels")
        answers = asker.ask(asked)
    if all(answer and answer.lasting for answer in answers):
        out.write_text(json.dumps([asdict(answer) for answer in answers if answer]))


if __name__ == "__main__":
    label(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
