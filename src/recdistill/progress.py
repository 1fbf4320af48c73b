"""What a person sees of long work: how far it is, how fast it goes, and when it will be done.

    with progress.task("labelling", total=len(contexts), unit="contexts") as task:
        for part in parts:
            ...
            task.advance(len(part), errors=3)

On a terminal these are bars; in a log file, a line now and then; or nothing at all.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.progress import Task as Bar
from rich.text import Text

Figure = int | float | str
"""A number or a word shown beside the bar, such as a loss."""


class Task(Protocol):
    """A piece of long work."""

    def advance(self, amount: int = 1, **figures: Figure) -> None:
        """Say that `amount` more units are done, and what the `figures` are now."""
        ...


class Progress(Protocol):
    """Where long work reports to."""

    def task(
        self, name: str, total: int | None = None, unit: str = "", done: int = 0
    ) -> AbstractContextManager[Task]:
        """Begin work of `total` units (`None`: unknown), `done` of which were done before.

        Tasks may be nested.
        """
        ...

    def say(self, text: str) -> None:
        """Show a line that stays."""
        ...


def progress_for(stream: TextIO | None = None) -> Progress:
    """Bars on a terminal, plain lines anywhere else; on standard error when not told where."""
    there: TextIO = sys.stderr if stream is None else stream
    return BarProgress(Console(file=there)) if there.isatty() else LineProgress(there)


class Stream(Protocol):
    """A text file, or anything that takes text as one."""

    def write(self, text: str, /) -> object:
        """Take `text`."""
        ...

    def flush(self) -> object:
        """Pass on what was taken."""
        ...


class Pace:
    """How far a task is, and how fast it goes since it began here."""

    def __init__(self, total: int | None, unit: str, done: int, clock: Callable[[], float]) -> None:
        self.total, self.unit, self.done = total, unit, done
        self.figures: dict[str, Figure] = {}
        self._clock, self._began, self._before = clock, clock(), done

    def advance(self, amount: int, figures: dict[str, Figure]) -> None:
        """Count `amount` more units and take over the `figures`."""
        self.done += amount
        self.figures |= figures

    @property
    def seconds(self) -> float:
        """Since the task began."""
        return self._clock() - self._began

    @property
    def rate(self) -> float:
        """Units a second."""
        return (self.done - self._before) / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds to go; `None` where nobody can tell."""
        if self.total is None or self.rate <= 0:
            return None
        return max(0, self.total - self.done) / self.rate

    def __str__(self) -> str:
        """`1,200/3,000 contexts · 410 contexts/s · loss 5.1234 · 0:04 left`."""
        total = "" if self.total is None else f"/{self.total:,}"
        parts = [f"{self.done:,}{total} {self.unit}".strip()]
        if self.rate > 0 and self.unit:
            parts.append(f"{_number(self.rate)} {self.unit}/s")
        parts += [f"{name} {_number(value)}" for name, value in self.figures.items()]
        if self.left is not None:
            parts.append(f"{_duration(self.left)} left")
        return " · ".join(parts)


class SilentProgress:
    """Shows nothing."""

    @contextmanager
    def task(
        self, name: str, total: int | None = None, unit: str = "", done: int = 0
    ) -> Generator[Task, None, None]:
        """Work that nobody watches."""
        yield _Unwatched()

    def say(self, text: str) -> None:
        """Say nothing."""


class _Unwatched:
    def advance(self, amount: int = 1, **figures: Figure) -> None:
        pass


class LineProgress:
    """A line now and then, for log files: soon at first, then every `seconds`, and at the end."""

    def __init__(
        self, stream: Stream, seconds: float = 15.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream, self._seconds, self._clock = stream, seconds, clock

    @contextmanager
    def task(
        self, name: str, total: int | None = None, unit: str = "", done: int = 0
    ) -> Generator[Task, None, None]:
        """Work whose lines begin with `name`."""
        task = _LineTask(self, name, Pace(total, unit, done, self._clock), self._seconds)
        yield task
        self.say(f"{name}: {task.pace} · took {_duration(task.pace.seconds)}")

    def say(self, text: str) -> None:
        """Write one line, at once."""
        print(text, file=self._stream, flush=True)


class _LineTask:
    def __init__(self, lines: LineProgress, name: str, pace: Pace, seconds: float) -> None:
        self.pace = pace
        self._lines, self._name, self._seconds = lines, name, seconds
        self._next = seconds / 5

    def advance(self, amount: int = 1, **figures: Figure) -> None:
        self.pace.advance(amount, figures)
        now = self.pace.seconds
        if now >= self._next:
            self._lines.say(f"{self._name}: {self.pace}")
            self._next = now + self._seconds


class BarProgress:
    """A bar for each task on a terminal; when it is done, a line stays in its place."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._bars: Bars | None = None

    @contextmanager
    def task(
        self, name: str, total: int | None = None, unit: str = "", done: int = 0
    ) -> Generator[Task, None, None]:
        """Work with a bar of its own."""
        pace = Pace(total, unit, done, self._clock)
        outermost = self._bars is None
        bars = self._bars or self._start()
        bar = bars.add_task(name, total=total, completed=done, pace=pace)
        try:
            yield _BarTask(bars, bar, pace)
        finally:
            bars.remove_task(bar)
            if outermost:
                bars.stop()
                self._bars = None
        figures = (f"{pace} · took {_duration(pace.seconds)}", "dim")
        self._console.print(Text.assemble(("✓ ", "green"), f"{name} ", figures))

    def say(self, text: str) -> None:
        """Print one line above the bars."""
        self._console.print(Text(text))

    def _start(self) -> Bars:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(24),
            _PaceColumn(),
        )
        self._bars = Bars(*columns, console=self._console, transient=True)
        self._bars.start()
        return self._bars


class _BarTask:
    def __init__(self, bars: Bars, bar: TaskID, pace: Pace) -> None:
        self._bars, self._bar, self._pace = bars, bar, pace

    def advance(self, amount: int = 1, **figures: Figure) -> None:
        self._pace.advance(amount, figures)
        self._bars.update(self._bar, completed=self._pace.done)


class _PaceColumn(ProgressColumn):
    def render(self, task: Bar) -> Text:
        return Text(str(task.fields["pace"]), style="dim")


def _number(value: Figure) -> str:
    if isinstance(value, str):
        return value
    if abs(value) >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
