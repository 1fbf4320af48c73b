"""What a person sees, with a clock that tests turn by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from recdistill.progress import (
    BarProgress,
    LineProgress,
    Pace,
    SilentProgress,
    progress_for,
)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def stream(tmp_path):
    with (tmp_path / "log").open("w+", encoding="utf-8") as file:
        yield file


def text_of(stream):
    stream.flush()
    return Path(stream.name).read_text(encoding="utf-8")


def test_pace_counts_from_where_the_task_began(clock):
    pace = Pace(1000, "contexts", 600, clock)
    assert pace.left is None
    clock.now += 4
    pace.advance(100, {})
    assert pace.rate == 25
    assert pace.left == 12
    assert str(pace) == "700/1,000 contexts · 25 contexts/s · 0:12 left"


def test_pace_without_a_total_tells_no_time_left(clock):
    pace = Pace(None, "lines", 0, clock)
    clock.now += 2
    pace.advance(5000, {"errors": 3})
    assert str(pace) == "5,000 lines · 2,500 lines/s · errors 3"


def test_pace_never_promises_negative_time(clock):
    pace = Pace(10, "", 0, clock)
    clock.now += 1
    pace.advance(20, {})
    assert pace.left == 0


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.123456, "0.1235"), (12345.6, "12,346"), (3.0, "3"), ("2/60", "2/60"), (1e-05, "1e-05")],
)
def test_figures_are_short(clock, value, shown):
    pace = Pace(None, "", 0, clock)
    pace.advance(0, {"x": value})
    assert str(pace).endswith(f"x {shown}")


def test_hours_and_minutes(clock):
    pace = Pace(7300, "steps", 0, clock)
    clock.now += 1
    pace.advance(1, {})
    assert "2:01:39 left" in str(pace)


def test_lines_come_soon_then_rarely_and_at_the_end(stream, clock):
    progress = LineProgress(stream, seconds=10.0, clock=clock)
    with progress.task("training", total=100, unit="steps") as task:
        for step in range(100):
            clock.now += 1
            task.advance(1, loss=1 / (step + 1))
    lines = text_of(stream).splitlines()
    assert len(lines) == 11
    assert lines[0] == "training: 2/100 steps · 1 steps/s · loss 0.5 · 1:38 left"
    assert lines[-1] == "training: 100/100 steps · 1 steps/s · loss 0.01 · 0:00 left · took 1:40"


def test_a_failed_task_is_not_reported_as_done(stream, clock):
    progress = LineProgress(stream, clock=clock)
    with pytest.raises(ZeroDivisionError), progress.task("training", total=2):
        raise ZeroDivisionError
    assert text_of(stream) == ""


def test_nested_tasks_and_notes(stream, clock):
    progress = LineProgress(stream, clock=clock)
    with progress.task("outer", total=1) as outer:
        with progress.task("inner", total=2, unit="parts") as inner:
            inner.advance(2)
        progress.say("a note")
        outer.advance()
    lines = text_of(stream).splitlines()
    assert [line.split(":")[0] for line in lines] == ["inner", "a note", "outer"]


def terminal(stream):
    return Console(file=stream, force_terminal=True, width=120, color_system=None)


def test_bars_leave_a_line_for_each_task(stream, clock):
    progress = BarProgress(terminal(stream), clock=clock)
    with progress.task("outer", total=2, unit="seeds") as outer:
        for _ in range(2):
            with progress.task("inner", total=10, unit="steps", done=4) as inner:
                clock.now += 3
                inner.advance(6, loss=0.25)
            outer.advance()
    text = text_of(stream)
    assert text.count("✓ inner 10/10 steps · 2 steps/s · loss 0.25") == 2
    assert text.count("✓ outer 2/2 seeds") == 1
    with progress.task("again", total=1) as task:
        task.advance()
    assert "✓ again" in text_of(stream)


def test_bars_stop_when_work_fails(stream, clock):
    progress = BarProgress(terminal(stream), clock=clock)
    with pytest.raises(ZeroDivisionError), progress.task("outer"), progress.task("inner"):
        raise ZeroDivisionError
    assert "✓" not in text_of(stream)
    progress.say("after")
    assert text_of(stream).endswith("after\n")


def test_names_with_brackets_are_not_markup(stream, clock):
    progress = BarProgress(terminal(stream), clock=clock)
    with progress.task("student [seed 1]", total=1) as task:
        task.advance(1, note="[red]")
    progress.say("a [note] in /[folder]")
    assert "✓ student [seed 1]" in text_of(stream)
    assert "a [note] in /[folder]" in text_of(stream)


def test_a_stream_that_is_no_terminal_gets_lines(stream):
    assert isinstance(progress_for(stream), LineProgress)


def test_a_terminal_gets_bars():
    here, there = os.openpty()
    with os.fdopen(here, "rb"), os.fdopen(there, "w") as stream:
        assert isinstance(progress_for(stream), BarProgress)


def test_standard_error_is_looked_up_when_it_is_needed(capsys):
    progress_for().say("a note")
    assert capsys.readouterr().err == "a note\n"


def test_silence(capsys):
    progress = SilentProgress()
    with progress.task("training", total=3, unit="steps", done=1) as task:
        task.advance(2, loss=0.5)
    progress.say("a note")
    assert capsys.readouterr() == ("", "")


def test_progress_needs_no_torch():
    script = "import sys, recdistill.progress; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
