from __future__ import annotations

import numpy as np
import pytest

from recdistill.data.sequences import Sequences


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 8, 50])
def test_snapped_rows_keep_at_least_three_quarters_of_the_window_and_move_in_steps(length):
    values = np.arange(300, dtype=np.int32)
    stops = np.arange(301, dtype=np.int64)
    rows = Sequences(values, np.zeros_like(stops), stops)
    cut = rows.snapped(length)
    assert np.array_equal(cut.stops, stops)
    assert (cut.lengths <= length).all()
    long = stops > length
    assert np.array_equal(cut.starts[~long], rows.starts[~long])
    assert (cut.lengths[long] > length - max(length // 4, 1)).all()
    assert (cut.lengths[long] >= 1).all()
    assert set(np.diff(cut.starts)) <= {0, max(length // 4, 1)}
    moved = Sequences(values, stops[:1], stops[-1:]).snapped(length)
    assert moved[0].tolist() == cut[300].tolist()
