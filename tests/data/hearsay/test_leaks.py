"""What could not have been known is found where it is, and not where it is not."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from recdistill.data.cases import Cases
from recdistill.data.hearsay.evidence import ItemWords
from recdistill.data.hearsay.leaks import Guard
from recdistill.data.hearsay.lists import join_lists
from recdistill.data.hearsay.membership import membership, words_of
from recdistill.data.hearsay.settings import ListsFile, TextsAboutUsers
from recdistill.data.hearsay.texts import join_user_texts
from recdistill.data.preparation import load_dataset
from recdistill.data.sequences import Sequences
from recdistill.errors import DataError

USERS, ITEMS, EVENTS = 60, 200, 12


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Everybody took twelve of 200 films, each told in words of its own; leave-one-out holds out two."""
    folder = tmp_path_factory.mktemp("world") / "log"
    folder.mkdir()
    random = np.random.default_rng(3)
    taken = [random.choice(ITEMS, EVENTS, replace=False) for _ in range(USERS)]
    events = [(user, item, at) for user, items in enumerate(taken) for at, item in enumerate(items)]
    pl.DataFrame(events, schema=["user_id", "item_id", "timestamp"], orient="row").write_parquet(
        folder / "log.parquet"
    )
    titles = [f"Night{item:03d} Train{item:03d}" for item in range(ITEMS)]
    plots = [f"wordy{item:03d} plot{item:03d}" for item in range(ITEMS)]
    pl.DataFrame({"item_id": range(ITEMS), "title": titles, "plot": plots}).write_parquet(
        folder / "items.parquet"
    )
    split = {"kind": "leave-one-out"}
    dataset = load_dataset(folder, into=folder.parent / "prepared", split=split, text="{plot}")
    return dataset, taken


@pytest.fixture
def guard(world):
    return Guard(world[0].valid, "validation", world[0])


def said_lists(world, write, lists, **more):
    rows = [{"user_id": user, "items": [int(i) for i in items]} for user, items in enumerate(lists)]
    for name, values in more.items():
        rows = [{**row, name: [int(i) for i in one]} for row, one in zip(rows, values, strict=True)]
    file = ListsFile(path=write("said.jsonl", rows), candidates="shown" if more else None)
    return join_lists(file, world[0])


def said_texts(world, write, texts):
    rows = [{"user_id": user, "text": text} for user, text in enumerate(texts)]
    return join_user_texts(TextsAboutUsers(path=write("said.jsonl", rows)), world[0])


def others(items, count=5):
    return [item for item in range(ITEMS) if item not in items][:count]


def test_lists_that_know_the_next_item_too_well(world, write, guard):
    """Forty of sixty lists name it: 67 %, where 30 % would be brilliant for lists of 5.67 items."""
    _, taken = world
    lists = [
        [*([items[-2]] if user < 40 else []), *others(items)] for user, items in enumerate(taken)
    ]
    joined = said_lists(world, write, lists)
    _, (finding,) = guard.lists(joined, "allow")
    assert (finding.checked, finding.named, finding.leaks) == (60, 40, True)
    assert finding.expected == pytest.approx(60 * 0.4 * (17 / 30) ** 0.5)
    with pytest.raises(
        DataError, match=r"40 of 60 lists .67%. name what is held out for validation"
    ):
        guard.lists(joined, "refuse")
    # What is left are whole lists of those whose next item is not named: no hole tells which it is.
    left, _ = guard.lists(joined, "scrub")
    assert left.users.tolist() == list(range(40, 60))
    assert [left.items[row].tolist() for row in range(20)] == lists[40:]


def test_skill_is_no_leak(world, write, guard):
    _, taken = world
    lists = [
        [*others(items), *([items[-2]] if user % 3 else [])] for user, items in enumerate(taken)
    ]
    few = [row if user % 4 == 1 else others(taken[user]) for user, row in enumerate(lists)]
    joined = said_lists(world, write, few)
    kept, (finding,) = guard.lists(joined, "refuse")
    assert (finding.named, finding.leaks) == (10, False)
    assert kept is joined
    assert "No leak seen" in str(finding)


@pytest.mark.parametrize(("length", "limit"), [(1, 12), (10, 31), (60, 43)])
def test_short_lists_may_be_right_less_often(world, write, guard, length, limit):
    """40 % of 60 lists of ten and two deviations: 24 + 7.6; of one, 0.126; of 60 among 200, twice what chance gives."""
    _, taken = world
    for right, leaks in ((limit, False), (limit + 1, True)):
        lists = [
            [*([items[-2]] if user < right else []), *others(items, length)][:length]
            for user, items in enumerate(taken)
        ]
        _, (finding,) = guard.lists(said_lists(world, write, lists), "allow")
        assert (finding.named, finding.leaks) == (right, leaks)


def test_candidates_that_were_chosen_to_hold_the_answer(world, write, guard):
    _, taken = world
    lists = [others(items) for items in taken]
    shown = [[items[-2], *others(items)] for items in taken]
    joined = said_lists(world, write, lists, shown=shown)
    with pytest.raises(DataError, match="60 of 60 candidate sets"):
        guard.lists(joined, "refuse")
    with pytest.raises(DataError, match="nothing is left"):
        guard.lists(joined, "scrub")


def test_what_is_held_out_for_one_window_is_not_for_another(world, write, guard):
    """The last item belongs to the test, which this guard does not know of."""
    dataset, taken = world
    joined = said_lists(world, write, [[items[-1]] for items in taken])
    assert guard.lists(joined, "refuse")[1][0].named == 0
    from recdistill.data.holdout import open_test

    test = Guard(open_test(dataset.folder), "test", dataset)
    with pytest.raises(DataError, match=r"60 of 60 lists .100%. name what is held out for test"):
        test.lists(joined, "refuse")


def test_lists_about_histories_are_looked_at_by_history(world, write, guard):
    dataset, taken = world
    rows = [{"past": items[:-2].tolist(), "items": [int(items[-2])]} for items in taken]
    file = ListsFile(path=write("said.jsonl", rows), user_id=None, history="past")
    assert guard.lists(join_lists(file, dataset), "allow")[1][0].named == 60


def test_names_in_texts(world, write, guard):
    dataset, taken = world
    name = [f"Night{item:03d} Train{item:03d}" for item in range(ITEMS)]
    texts = [
        f"Loves {name[items[0]]} and, lately, *{name[items[-2] if user < 9 else items[3]]}*."
        for user, items in enumerate(taken)
    ]
    joined, words = said_texts(world, write, texts), ItemWords(dataset)
    _, (finding,) = guard.texts(joined, words, "allow")
    assert (finding.checked, finding.named, finding.leaks) == (60, 9, True)
    assert finding.expected < 2
    with pytest.raises(DataError, match=r"9 of 60 texts .15%."):
        guard.texts(joined, words, "refuse")
    clean, _ = guard.texts(joined, words, "scrub")
    for user, items in enumerate(taken):
        assert (name[items[-2]] in clean.texts[user]) is False
        assert name[items[0]] in clean.texts[user]
        assert (clean.texts[user] == texts[user]) is (user >= 9)
    assert clean.texts[0].endswith("and, lately, ….")


def test_texts_whose_words_know_are_refused_scrubbed_or_not(world, write, guard):
    """No title is named; each text tells three films in words of their own, one of them later."""
    dataset, taken = world
    texts = [" ".join(f"plot{item:03d}" for item in (*items[:2], items[-2])) for items in taken]
    joined, words = said_texts(world, write, texts), ItemWords(dataset)
    _, (finding,) = guard.texts(joined, words, "allow")
    assert finding.leaks
    assert finding.named == 0
    (group,) = finding.words
    # Two of ten of the history, the later one always, strangers never: (1 − 0) / (0.2 − 0).
    assert (group.histories, group.users) == ("8-15", 60)
    assert group.error < 1e-12
    assert (group.inside, group.later, group.outside) == pytest.approx((0.2, 1, 0))
    assert group.known == pytest.approx(5)
    for policy in ("refuse", "scrub"):
        with pytest.raises(DataError, match="500% ± 0% with histories of 8-15"):
            guard.texts(joined, words, policy)


def test_texts_made_from_the_history_alone_pass(world, write, guard):
    dataset, taken = world
    texts = [" ".join(f"plot{item:03d}" for item in items[:-2]) for items in taken]
    joined = said_texts(world, write, texts)
    kept, (finding,) = guard.texts(joined, ItemWords(dataset), "refuse")
    assert kept is joined
    assert finding.words[0].known == 0
    assert finding.words[0].inside == 1


def test_membership_is_what_counting_by_hand_gives():
    """Against loops over words, on texts drawn at random from few words."""
    random = np.random.default_rng(0)
    vocabulary = [f"word{n:02d}" for n in range(30)]
    about = [" ".join(random.choice(vocabulary, 4)) for _ in range(25)]
    texts = [" ".join(random.choice(vocabulary, 6)) for _ in range(40)]
    histories = [random.choice(25, 3, replace=False).tolist() for _ in texts]
    later = [[int(random.choice([i for i in range(25) if i not in past]))] for past in histories]
    bags = [words_of(text) for text in about]
    (found,) = membership(texts, histories, later, bags)
    inside, held, outside = [], [], []
    for row, text in enumerate(texts):

        def own(item, others, text=text):
            return any(
                word in about[item].split() and not any(word in about[o].split() for o in others)
                for word in text.split()
            )

        strangers = [later[(row + shift) % 40][0] for shift in range(1, 6)]
        strangers = [s for s in strangers if s not in histories[row] and s != later[row][0]]
        past = histories[row]
        inside.append(np.mean([own(i, [o for o in past if o != i]) for i in past]))
        held.append(own(later[row][0], past))
        outside.append(np.mean([own(s, past) for s in strangers]))
    expected = np.mean(inside), np.mean(held), np.mean(outside)
    assert (found.inside, found.later, found.outside) == pytest.approx(expected)
    gaps = (np.array(held) - np.array(outside)) / (expected[0] - expected[2])
    assert found.known == pytest.approx(gaps.mean())
    assert found.error == pytest.approx(gaps.std(ddof=1) / 40**0.5)


def test_few_texts_and_texts_that_say_nothing_tell_nothing():
    assert membership([], [], [], []) == []
    assert membership(["one word"], [[0]], [[1]], [frozenset(), frozenset()]) == []
    assert membership(["x"] * 30, [[0]] * 30, [[1]] * 30, [frozenset({"aaaa"})] * 2) == []


# Several held-out items a user


def later_of(taken, user):
    """3, 2 or 1 items that the user did not take before, by turns."""
    return [item for item in range(100, ITEMS) if item not in taken[user]][
        user : user + 3 - user % 3
    ]


@pytest.fixture
def wide(world):
    """Guards two items a user on average, each asked for after what came before it."""
    dataset, taken = world
    users, histories, targets = [], [], []
    for user in range(USERS):
        past, later = dataset.train.histories[user].tolist(), later_of(taken, user)
        for place, item in enumerate(later):
            users.append(user)
            histories.append([*past, *later[:place]])
            targets.append([item])
    rows = (Sequences.from_lists(histories), Sequences.from_lists(targets))
    return Guard(Cases(np.array(users, dtype=np.int32), *rows), "test", dataset)


def about_histories(world, write, lists):
    dataset, _ = world
    ids = dataset.vocabulary.ids
    pasts = [
        [ids[item] for item in dataset.train.histories[user].tolist()] for user in range(USERS)
    ]
    rows = [{"past": past, "items": said} for past, said in zip(pasts, lists, strict=True)]
    file = ListsFile(path=write("said.jsonl", rows), user_id=None, history="past")
    return join_lists(file, dataset)


@pytest.mark.parametrize("about", ["users", "histories"])
def test_lists_of_what_came_after_the_next_item_are_leaks(world, write, wide, about):
    """None names the next item; each names all that came after it, where two of three users have such."""
    _, taken = world
    lists = [[*later_of(taken, user)[1:], *others(taken[user], 3)] for user in range(USERS)]
    made = said_lists if about == "users" else about_histories
    joined = made(world, write, lists)
    with pytest.raises(DataError, match=r"40 of 60 lists .67%. name what is held out") as caught:
        wide.lists(joined, "refuse")
    assert "the 2nd item held out for each by 40 of 40" in str(caught.value)
    left, (finding,) = wide.lists(joined, "scrub")
    assert len(left) == 20
    assert [(one.number, one.checked, one.named) for one in finding.places] == [
        (1, 60, 0),
        (2, 40, 40),
        (3, 20, 20),
    ]
    # 40 and 20 lists of (20·5 + 20·4) / 40 = 4.5 and of 5 items: 40 % · √(length / 10) may be right.
    expected = [one.expected for one in finding.places[1:]]
    assert expected == pytest.approx([40 * 0.4 * 0.45**0.5, 20 * 0.4 * 0.5**0.5])
    # Of any: 1 − (1 − share)^(items held out), each list with the share of all.
    share = 0.4 * 0.4**0.5
    assert finding.expected == pytest.approx(sum(20 * (1 - (1 - share) ** n) for n in (1, 2, 3)))


@pytest.mark.parametrize(("right", "leaks"), [(10, True), (7, True), (6, False), (4, False)])
def test_lists_of_much_that_is_held_out_name_no_place_often(world, write, right, leaks):
    """Of 40 items held out of everybody each list names some, drawn by lot: a place is named by a quarter at most."""
    dataset, taken = world
    later = [
        [item for item in range(ITEMS) if item not in taken[user]][-40:] for user in range(USERS)
    ]
    rows = (
        Sequences.from_lists([items[:5].tolist() for items in taken]),
        Sequences.from_lists(later),
    )
    guard = Guard(Cases(np.arange(USERS, dtype=np.int32), *rows), "test", dataset)
    draw = np.random.default_rng(0)
    lists = [
        [*draw.choice(held, right, replace=False), *others(taken[user], 10 - right)]
        for user, held in enumerate(later)
    ]
    _, (finding,) = guard.lists(said_lists(world, write, lists), "allow")
    assert (finding.leaks, finding.right) == (leaks, USERS * right)
    assert finding.explained == pytest.approx(USERS * 6)
    assert not any(place.leaks for place in finding.places)
    assert (f"{USERS * right} of their items are held out, where 360.0" in str(finding)) == leaks


def test_skill_with_several_items_is_no_leak(world, write, wide):
    """Every fifth list of five has the next item, every sixth the one after that."""
    _, taken = world
    lists = []
    for user in range(USERS):
        later = later_of(taken, user)
        right = [*(later[:1] if user % 5 == 0 else []), *(later[1:2] if user % 6 == 0 else [])]
        lists.append([*right, *others(taken[user])][:5])
    joined = said_lists(world, write, lists)
    kept, (finding,) = wide.lists(joined, "refuse")
    assert kept is joined
    assert finding.named == 20


def test_users_with_one_history_are_all_looked_at(world, write):
    """What was said of a history is said of everybody who has it; the second user's answer counts like the first's."""
    dataset, _ = world
    past = dataset.train.histories[0].tolist()
    for first, second in ((150, 151), (151, 150)):
        histories, targets = (
            Sequences.from_lists([past, past]),
            Sequences.from_lists([[first], [second]]),
        )
        guard = Guard(Cases(np.arange(2, dtype=np.int32), histories, targets), "test", dataset)
        joined = about_histories(world, write, [[int(dataset.vocabulary.ids[150])]] * USERS)
        _, (finding,) = guard.lists(joined, "allow")
        assert (finding.checked, finding.named) == (2, 1)


def test_scores_about_everybody_are_not_looked_at_and_that_is_said(world, write, guard):
    rows = [{"item_id": item, "score": 1.0} for item in range(ITEMS)]
    file = ListsFile(
        path=write("said.jsonl", rows), user_id=None, items="item_id", rows="item", scores="score"
    )
    _, (finding,) = guard.lists(join_lists(file, world[0]), "refuse")
    assert "about everybody" in finding.unseen
    assert "cannot be seen" in str(finding)
    assert "No leak seen" not in str(finding)


def test_where_nothing_is_held_out_nobody_says_that_no_leak_was_seen(world, write):
    dataset, taken = world
    nobody = dataset.valid.take(slice(0, 0))
    guard = Guard(nobody, "validation", dataset)
    _, (finding,) = guard.lists(
        said_lists(world, write, [others(items) for items in taken]), "refuse"
    )
    assert "nothing is held out" in str(finding)
    assert "No leak seen" not in str(finding)
