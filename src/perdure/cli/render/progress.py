"""Progress of long work, on stderr."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field

import click


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
