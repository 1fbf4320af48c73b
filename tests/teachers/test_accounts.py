"""What teachers named, and how much of it can be recommended."""

from __future__ import annotations

import pytest

from recdistill.teachers.accounts import Account, account_of, together


@pytest.mark.parametrize(
    ("account", "grounded"),
    [
        (Account(named=8, in_catalogue=6), 0.75),
        (Account(named=8, in_catalogue=0), 0.0),
        (Account(named=0, in_catalogue=0), None),
        (Account(calls=3), None),
        (Account(constrained=True), 1.0),
    ],
)
def test_the_share_of_what_was_named(account, grounded):
    assert account.grounded == grounded
    assert account.facts().get("grounded") == grounded
    assert None not in account.facts().values()


def test_several_are_added_up():
    one = Account(calls=2, tokens=5, money=0.25, named=10, in_catalogue=5)
    two = Account(calls=3, tokens=7, named=10, in_catalogue=10)
    both = together([one, two])
    assert both == Account(calls=5, tokens=12, named=20, in_catalogue=15), (
        "of money, one said nothing"
    )
    assert both.grounded == 0.75
    free = Account(named=20, in_catalogue=20)
    assert together([one, free]) == Account(2, 5, 0.25, None, 30, 25), (
        "a file is not paid by the question"
    )
    assert together([]) == Account()


def test_constrained_is_who_is_so_altogether():
    mixed = together([Account(calls=1, named=4, in_catalogue=2), Account(constrained=True)])
    assert mixed.facts() == {"calls": 1, "named": 4, "in_catalogue": 2, "grounded": 0.5}
    assert together([Account(constrained=True)] * 2).facts() == {
        "constrained": True,
        "grounded": 1.0,
    }


def test_whoever_counts_first_is_believed():
    class Counting:
        def account(self):
            return Account(calls=1)

    assert account_of(object(), Counting()) == Account(calls=1)
    assert account_of(object(), None) is None
