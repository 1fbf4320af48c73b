"""What is held out is looked for before anything is heard, and what was found is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.evidence import Finding, ItemWords
from recdistill.data.hearsay.leaks import Guard
from recdistill.data.hearsay.lists import Lists
from recdistill.data.hearsay.report import JoinReport
from recdistill.data.hearsay.settings import LeakPolicy
from recdistill.data.hearsay.texts import UserTexts
from recdistill.progress import SilentProgress
from recdistill.training.options import RunOptions


def guards(dataset: Dataset, run: RunOptions) -> Iterator[Guard]:
    """Who guards validation, and who guards the test, where somebody who may open it sent one."""
    yield Guard(dataset.valid, "validation", dataset)
    if run.guard:
        yield run.guard


def guarded_lists(
    lists: Lists, policy: LeakPolicy, dataset: Dataset, run: RunOptions
) -> tuple[Lists, dict[str, Any]]:
    """The lists that may be heard, and the notes of a teacher that hears them.

    Raises:
        DataError: they know what is held out, and the policy is to refuse.
    """
    report, found = lists.report, list[Finding]()
    _tell(run, report.lines())
    for guard in guards(dataset, run):
        lists, findings = guard.lists(lists, policy)
        found += findings
    return lists, _notes(report, found, run)


def guarded_texts(
    texts: UserTexts,
    policy: LeakPolicy,
    dataset: Dataset,
    run: RunOptions,
    title: str | None = None,
) -> tuple[UserTexts, dict[str, Any]]:
    """The texts that may be heard, and the notes of a teacher that hears them; `title` is the catalogue's column of the
    names that are looked for.

    Raises:
        DataError: they know what is held out, and the policy is to refuse.
    """
    report, found, items = texts.report, list[Finding](), ItemWords(dataset, title)
    _tell(run, report.lines())
    for guard in guards(dataset, run):
        texts, findings = guard.texts(texts, items, policy)
        found += findings
    return texts, _notes(report, found, run)


def _notes(report: JoinReport, found: list[Finding], run: RunOptions) -> dict[str, Any]:
    _tell(run, map(str, found))
    remarkable = [one for one in found if one.leaks or one.unseen]
    return {
        "join": report.facts(),
        "leaks": [one.facts() for one in found],
        "remarks": [*report.sentences(), *map(str, remarkable)],
    }


def _tell(run: RunOptions, lines: Iterable[str]) -> None:
    progress = run.progress or SilentProgress()
    for line in lines:
        progress.say(line)
