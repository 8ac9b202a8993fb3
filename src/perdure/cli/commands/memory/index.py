"""``perdure memory index``."""

from __future__ import annotations

import sys

import click

from perdure.cli.arguments import commit_of
from perdure.cli.render.output import print_line
from perdure.cli.render.progress import IndexProgress
from perdure.cli.target import companion_option, open_repository


@click.command("index")
@companion_option
def index() -> None:
    """Index all conversations for recall and search now.

    The first message or search indexes the words anyway. Meanings (the extra [dense]) are indexed
    between the turns of a chat, newest first; this does the rest at once, which may take an hour
    for a long history. Ctrl-C stops; what was indexed stays.
    """
    from perdure.recall import RecallIndex

    repo = open_repository()
    if repo.head().commit is None:
        print_line("Nothing has been said yet.")
        return
    head = commit_of(repo, "HEAD")
    try:
        with RecallIndex.open_usual(repo) as recall:
            recall.update(head, IndexProgress("conversations", "files"))
            notices = [recall.notice]
            recall.embed(head, IndexProgress("meaning of messages", "messages"))
            notices.append(recall.notice)
            lacking, known = recall.unembedded(head)
    except KeyboardInterrupt:
        print_line("\nStopped. What was read is kept.", err=True)
        sys.exit(130)
    for line in dict.fromkeys(filter(None, notices)):
        print_line(f"{line}.", err=True)
    if lacking:
        print_line(f"All messages can be found by their words, and {known:,} by meaning.")
        sys.exit(1)
    by_meaning = f", and all {known:,} by meaning" if known else ""
    print_line(f"All messages can be found by their words{by_meaning}.")
