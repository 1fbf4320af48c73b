"""Do lists and texts know what they could not have known? What is held out is looked for in what was said.

Three signs, each set beside what would be seen without a leak:

- A list names the very next item, or was chosen from candidates that hold it, more often than anybody's skill explains.
- A text names, by title, what its user took later, more often than it names what other users took later.
- The words of a text fit what its user took later as they fit what the text was made from (`membership`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from recdistill.data.cases import Cases
from recdistill.data.contexts import history_keys
from recdistill.data.dataset import Dataset
from recdistill.data.hearsay.evidence import Finding, ItemWords
from recdistill.data.hearsay.lists import Lists
from recdistill.data.hearsay.membership import membership
from recdistill.data.hearsay.naming import Named, without
from recdistill.data.hearsay.settings import LeakPolicy
from recdistill.data.hearsay.texts import UserTexts
from recdistill.errors import DataError

PLAUSIBLE: Final = 0.4
"""The share of lists of ten items that may name what comes next: a recommender of a whole catalogue is hardly right
more often. Of shorter lists it falls with the root of their length, to an eighth of lists of one item."""
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
        for user, items in zip(cases.users.tolist(), _rows(cases), strict=True):
            self._later.setdefault(user, []).extend(items)
        keys = history_keys(cases.histories, dataset.item_keys).tolist()
        self._after = dict(zip(keys, _rows(cases), strict=True))

    def lists(self, lists: Lists, policy: LeakPolicy) -> tuple[Lists, list[Finding]]:
        """The lists that may be heard, and what was found. `scrub` leaves out every list that names the next item or
        was chosen from candidates with it: taking out only the item would tell that it was one.

        Raises:
            DataError: there is a leak, and the policy is to refuse; or nothing is left.
        """
        targets = self._next(lists)
        parts = {"lists": lists.items} | ({"candidate sets": lists.shown} if lists.shown else {})
        hits = {
            what: np.array([target in rows[at] for at, target in enumerate(targets)], dtype=bool)
            for what, rows in parts.items()
        }
        known = np.array([target >= 0 for target in targets], dtype=bool)
        findings = [
            self._of_lists(lists.report.file, what, hits[what], known, rows.lengths)
            for what, rows in parts.items()
        ]
        self._act(findings, policy)
        if policy != "scrub" or not any(one.leaks for one in findings):
            return lists, findings
        left = np.flatnonzero(~np.logical_or.reduce([*hits.values()]))
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
        named = [items.namer.names(text) for text in texts.texts]
        later = [self._later.get(user, []) for user in texts.users.tolist()]
        finding = self._of_texts(texts, named, later, items.bags)
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

    def _next(self, lists: Lists) -> list[int]:
        """What came next for each list; -1 where nobody knows."""
        if not len(lists) or lists.everybody:
            return [-1] * len(lists)
        if (lists.users >= 0).all():
            return [self._later.get(user, [-1])[0] for user in lists.users.tolist()]
        keys = history_keys(lists.histories, self._dataset.item_keys).tolist()
        return [self._after.get(key, [-1])[0] for key in keys]

    def _of_lists(
        self, file: str, what: str, hits: np.ndarray, known: np.ndarray, lengths: np.ndarray
    ) -> Finding:
        count, named = int(known.sum()), int(hits[known].sum())
        chance = float(lengths[known].mean()) / self._dataset.num_items if count else 0.0
        length = chance * self._dataset.num_items
        share = min(max(PLAUSIBLE * min(1.0, (length / 10) ** 0.5), 2 * chance), 1.0)
        expected = share * count
        limit = expected + _DEVIATIONS * float(np.sqrt(expected * (1 - share)))
        examples = tuple(f"list {row + 1}" for row in np.flatnonzero(hits)[:_EXAMPLES])
        return Finding(
            file, self._window, what, count, named, expected, named > limit, (), examples
        )

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
            tuple(words),
            examples,
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


def _rows(cases: Cases) -> list[list[int]]:
    return [cases.targets[row].tolist() for row in range(len(cases))]


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
