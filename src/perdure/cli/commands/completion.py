"""``perdure completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from perdure.cli.errors import CommandProblem


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print a shell's completion script.

    bash: add `eval "$(perdure completion bash)"` to ~/.bashrc; zsh: the same in ~/.zshrc;
    fish: `perdure completion fish > ~/.config/fish/completions/perdure.fish`.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise CommandProblem(f"no completion for {shell}.")
    script = kind(ctx.find_root().command, {}, "perdure", "_PERDURE_COMPLETE")
    click.echo(script.source())
