"""Progress of long work, on stderr."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field

import click

from perdure.terminal.sanitise import sanitise


@dataclass(slots=True)
class IndexProgress:
    """A line on stderr during a long first read; nothing without a terminal."""

    what: str = "history"
    unit: str = "commits"
    begun: float = field(default_factory=time.monotonic)
    shown: bool = False

    def __call__(self, done: int, total: int) -> None:
        """Show the progress, once half a second has passed."""
        if not sys.stderr.isatty() or time.monotonic() - self.begun < 0.5:
            return
        if total and done >= total:
            click.echo("\r\033[K" * self.shown, nl=False, err=True)
            return
        self.shown = True
        count = f"{done:,} of {total:,}" if total else f"{done:,}"
        text = f"\rReading the {self.what} once: {count} {self.unit} …\033[K"
        click.echo(text, nl=False, err=True)


@dataclass(slots=True)
class SpokenProgress:
    """A line on stderr that says what is being done; nothing without a terminal."""

    begun: float = field(default_factory=time.monotonic)
    shown: bool = False

    def __call__(self, text: str) -> None:
        """Show what is being done, once half a second has passed."""
        if not sys.stderr.isatty() or time.monotonic() - self.begun < 0.5:
            return
        self.shown = True
        click.echo(f"\r{sanitise(text)[:100]} …\033[K", nl=False, err=True)

    def clear(self) -> None:
        """Take the line away."""
        if self.shown:
            click.echo("\r\033[K", nl=False, err=True)
            self.shown = False
