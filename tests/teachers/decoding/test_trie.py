from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recdistill.teachers.decoding.trie import Trie

END = 9
# "ab", "abc" (the first is its beginning), "ab" again, "b", and an item without a title.
TITLES = [[1, 2, END], [1, 2, 3, END], [1, 2, END], [2, END], []]
titles = st.lists(st.lists(st.integers(0, 5), max_size=5), min_size=1, max_size=12)


def test_titles_that_begin_alike_share_their_beginning():
    trie = Trie.of(TITLES)
    #              root  1  2  1,2  2,END  1,2,3  1,2,END  1,2,3,END
    assert trie.tokens.tolist() == [-1, 1, 2, 2, END, 3, END, END]
    assert trie.parents.tolist() == [-1, 0, 0, 1, 2, 3, 3, 5]
    assert trie.paths.tolist() == [
        [1, 3, 6, 0],
        [1, 3, 5, 7],
        [1, 3, 6, 0],
        [2, 4, 0, 0],
        [0, 0, 0, 0],
    ]
    assert trie.leaves.tolist() == [6, 7, 6, 4, -1]
    assert trie.untitled.tolist() == [4]
    assert trie.children(3) == slice(5, 7)
    assert trie.items[6].tolist() == [0, 2]
    assert trie.items[3].tolist() == []


def test_a_part_holds_the_ways_to_its_items_only():
    part = Trie.of(TITLES).part(np.array([1, 3, 4]))
    # Inner nodes: the root, 1, 2, 1-2, 1-2-3; ends need not be read.
    assert part.tokens.tolist() == [-1, 1, 2, 2, 3]
    assert part.parents.tolist() == [-1, 0, 0, 1, 3]
    assert part.targets.tolist() == [[1, 2, 3, END], [2, END, 0, 0], [0, 0, 0, 0]]
    assert part.sources.tolist() == [[0, 1, 3, 4], [0, 2, -1, -1], [-1, -1, -1, -1]]


@given(titles)
def test_every_title_can_be_read_off_the_tree_and_nothing_else(rows):
    trie = Trie.of(rows)
    for item, row in enumerate(rows):
        path = [node for node in trie.paths[item].tolist() if node]
        assert trie.tokens[path].tolist() == row
        if row:
            assert item in trie.items[path[-1]]
    prefixes = {tuple(row[:end]) for row in rows for end in range(len(row) + 1)}
    assert len(trie) == len(prefixes)
    assert sorted(trie.items.values.tolist()) == [item for item, row in enumerate(rows) if row]


@given(titles)
def test_the_children_of_a_node_lie_side_by_side_with_tokens_of_their_own(rows):
    trie = Trie.of(rows)
    found = [
        node
        for parent in range(len(trie))
        for node in range(*trie.children(parent).indices(len(trie)))
    ]
    assert sorted(found) == list(range(1, len(trie)))
    for parent in range(len(trie)):
        children = trie.children(parent)
        assert (trie.parents[children] == parent).all()
        assert len(set(trie.tokens[children].tolist())) == trie.degrees[parent]


@given(titles, st.data())
def test_a_part_spells_the_titles_of_its_items(rows, data):
    trie = Trie.of(rows)
    items = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=6))
    part = trie.part(np.array(items))
    for place, item in enumerate(items):
        steps = part.sources[place] >= 0
        assert part.targets[place][steps].tolist() == rows[item]
        sources = part.sources[place][steps]
        assert part.tokens[sources[1:]].tolist() == rows[item][:-1]
        assert part.parents[sources[1:]].tolist() == sources[:-1].tolist()
