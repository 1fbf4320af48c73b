"""Do lists and texts know what they could not have known? What is held out is looked for in what was said.

Three signs, each set beside what would be seen without a leak:

- Lists name what came next, or one of what came after that, or were chosen from candidates that hold it, more often
  than anybody's skill explains.
- A text names, by title, what its user took later, more often than it names what other users took later.
- The words of a text fit what its user took later as they fit what the text was made from (`membership`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from recdistill.data.cases import Cases
from recdistill.data.contexts import history_keys
from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.evidence import Finding, ItemWords
from recdistill.data.hearsay.lists import Lists
from recdistill.data.hearsay.membership import membership
from recdistill.data.hearsay.naming import Named, without
from recdistill.data.hearsay.places import hits
from recdistill.data.hearsay.settings import LeakPolicy
from recdistill.data.hearsay.texts import UserTexts
from recdistill.data.sequences import Sequences
from recdistill.errors import DataError

_DEVIATIONS: Final = 2.0
_SHIFTS: Final = 20
_EXAMPLES: Final = 3


class Guard:
    """Looks for what is held out in what was said, and does what a policy says about it.

    Who asks learns what may be heard, never what is held out: whoever holds the test can hand on a guard.
    """

    def __init__(self, cases: Cases, window: str, dataset: Dataset) -> None:
        """Guard the targets of `cases`."""
        self._window, self._dataset = window, dataset
        self._later: dict[int, list[int]] = {}
        for user, items in zip(cases.users.tolist(), _rows(cases.targets), strict=True):
            self._later.setdefault(user, []).extend(items)
        self._after = _after(cases, dataset)

    def lists(self, lists: Lists, policy: LeakPolicy) -> tuple[Lists, list[Finding]]:
        """The lists that may be heard, and what was found. `scrub` leaves out every list that names what is held out or
        was chosen from candidates with it: taking out only the item would tell that it was one.

        Raises:
            DataError: there is a leak, and the policy is to refuse; or nothing is left.
        """
        about = self._about(lists)
        parts = {"lists": lists.items} | ({"candidate sets": lists.shown} if lists.shown else {})
        found = [self._of_lists(lists, what, rows, about) for what, rows in parts.items()]
        findings = [finding for finding, _ in found]
        self._act(findings, policy)
        if policy != "scrub" or not any(one.leaks for one in findings):
            return lists, findings
        naming = set[int]().union(*(rows for _, rows in found))
        left = np.array([row for row in range(len(lists)) if row not in naming], dtype=np.int64)
        return lists.take(self._some(left, lists.report.file)), findings

    def texts(
        self, texts: UserTexts, items: ItemWords, policy: LeakPolicy
    ) -> tuple[UserTexts, list[Finding]]:
        """The texts that may be heard, and what was found. `scrub` takes names out of texts; it cannot take out what
        words know, so texts whose words know are refused all the same.

        Args:
            texts: joined.
            items: what the catalogue's items are called, and what is said of them.
            policy: what to do.

        Raises:
            DataError: there is a leak, and the policy is to refuse; or scrubbing would not help.
        """
        namer = items.namer
        named = [namer.names(text) if namer else [] for text in texts.texts]
        later = [self._later.get(user, []) for user in texts.users.tolist()]
        finding = self._of_texts(texts, named, later, items.bags)
        if namer is None:
            finding = replace(finding, unseen=self._nameless())
        self._act([finding], policy)
        if policy != "scrub":
            return texts, [finding]
        if any(one.much for one in finding.words):
            raise DataError(
                f"{finding}",
                "Names can be taken out of texts, what their words know cannot. Make them from training histories"
                " only; `leaks: allow` takes them as they are.",
            )
        clean = [
            without(text, [(one.start, one.stop) for one in found if {*one.items} & {*held}])
            for text, found, held in zip(texts.texts, named, later, strict=True)
        ]
        return UserTexts(texts.users, texts.histories, clean, texts.report), [finding]

    def _about(self, lists: Lists) -> list[tuple[int, list[int]]]:
        """Lists and what is held out of whom they are about, in the order in which it was taken; nothing where nobody
        knows. A list about a history that several users have is there for each of them.
        """
        if lists.everybody or not len(lists):
            return []
        if (lists.users >= 0).all():
            return [(row, self._held(user)) for row, user in enumerate(lists.users.tolist())]
        keys = history_keys(lists.histories, self._dataset.item_keys).tolist()
        return [
            (row, self._held(user, past))
            for row, key in enumerate(keys)
            for user, past in self._after.get(key, [])
        ]

    def _held(self, user: int, past: int = 0) -> list[int]:
        """What is held out of a user, each item once, but for the first few."""
        return list(dict.fromkeys(self._later.get(user, [])[past:]))

    def _of_lists(
        self, lists: Lists, what: str, rows: Sequences, about: list[tuple[int, list[int]]]
    ) -> tuple[Finding, set[int]]:
        """What was found, and which lists name any of it."""
        sets = [{*rows[row].tolist()} for row in range(len(rows))]
        named = [[item in sets[row] for item in held] for row, held in about]
        lengths = np.array([rows.lengths[row] for row, _ in about], dtype=np.int64)
        found = hits(named, lengths, self._dataset.num_items)
        naming = {row for (row, _), one in zip(about, named, strict=True) if any(one)}
        counted = (found.checked, found.named, found.expected, found.leaks)
        examples = tuple(f"list {row + 1}" for row in sorted(naming)[:_EXAMPLES])
        finding = Finding(
            lists.report.file,
            self._window,
            what,
            *counted,
            right=found.right,
            explained=found.explained,
            places=found.places,
            examples=examples,
            unseen=self._unseen(lists.everybody, what, found.checked),
        )
        return finding, naming

    def _nameless(self) -> str:
        return (
            f"names of what is held out for {self._window} were not looked for in texts, as the catalogue has no column"
            " of titles (`users.title` says which it is)"
        )

    def _unseen(self, everybody: bool, what: str, checked: int) -> str:
        if everybody:
            return (
                f"{what} are about everybody: whether they know what is held out for {self._window}"
                " was not looked for"
            )
        if checked:
            return ""
        return f"nothing is held out for {self._window} of anybody whom {what} are about"

    def _of_texts(
        self,
        texts: UserTexts,
        named: list[list[Named]],
        later: list[list[int]],
        bags: Sequence[frozenset[str]],
    ) -> Finding:
        asked = [row for row, items in enumerate(later) if items]
        names = [{item for one in named[row] for item in one.items} for row in asked]
        held = [{*later[row]} for row in asked]
        hits = [bool(one & other) for one, other in zip(names, held, strict=True)]
        expected = _by_chance(names, held, [{*texts.histories[row].tolist()} for row in asked])
        words = membership(
            [texts.texts[row] for row in asked],
            [texts.histories[row].tolist() for row in asked],
            [later[row] for row in asked],
            bags,
        )
        many = sum(hits) > expected + _DEVIATIONS * float(np.sqrt(expected + 1))
        leaks = many or any(one.much for one in words)
        rows = [row for row, hit in zip(asked, hits, strict=True) if hit][:_EXAMPLES]
        examples = tuple(texts.texts[row][:200] for row in rows)
        file = texts.report.file
        return Finding(
            file,
            self._window,
            "texts",
            len(asked),
            sum(hits),
            expected,
            leaks,
            words=tuple(words),
            examples=examples,
        )

    def _act(self, findings: list[Finding], policy: LeakPolicy) -> None:
        found = [one for one in findings if one.leaks]
        if found and policy == "refuse":
            raise DataError(
                "\n".join(map(str, found)),
                "Whoever said this had seen the answers. `leaks: scrub` leaves out what names them, `leaks: allow`"
                " takes it as it is; better, make it again from training histories only.",
            )

    @staticmethod
    def _some(rows: np.ndarray, file: str) -> np.ndarray:
        if not len(rows):
            raise DataError(
                f"All lists of {file} name what is held out, or were chosen from it: nothing is left of them.",
                "Make them again from training histories only.",
            )
        return rows


def _after(cases: Cases, dataset: Dataset) -> dict[int, list[tuple[int, int]]]:
    """By the key of a history: who has it, and how many of their held-out items are in it already."""
    found: dict[int, list[tuple[int, int]]] = {}
    told: Counter[int] = Counter()
    keys = history_keys(cases.histories, dataset.item_keys).tolist()
    for key, user, count in zip(
        keys, cases.users.tolist(), cases.targets.lengths.tolist(), strict=True
    ):
        found.setdefault(key, []).append((user, told[user]))
        told[user] += count
    return found


def _rows(of: Sequences) -> list[list[int]]:
    return [of[row].tolist() for row in range(len(of))]


def _by_chance(names: list[set[int]], held: list[set[int]], histories: list[set[int]]) -> float:
    """How many texts would name what is held out if it were another user's: the mean over some exchanges."""
    count = len(names)
    shifts = range(1, min(_SHIFTS, count - 1) + 1)
    naming = [row for row in range(count) if names[row] - histories[row]]
    hits = sum(
        bool(names[row] & (held[(row + shift) % count] - histories[row]))
        for shift in shifts
        for row in naming
    )
    return hits / max(len(shifts), 1)
