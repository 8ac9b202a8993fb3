"""The console script: runs a command and shows any error on one clear line."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import NoReturn

from perdure import __version__


def run() -> NoReturn:
    """What is installed as the command: `main`, and the process ends with it."""
    try:
        code: object = main()
    except SystemExit as end:
        code = end.code
    _leave(code)
    raise SystemExit(code)


def main() -> int:
    """Run the command line; exits with 0 done, 1 failed, 2 usage error, 3 findings."""
    if sys.argv[1:] == ["--version"]:
        print(f"perdure {__version__}")  # noqa: T201 - answered before click is imported
        return 0
    os.umask(0o077)
    for stream in (sys.stdout, sys.stderr):
        # A terminal of another encoding shows "?" for what it does not have, and the rest.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    debug = "--debug" in sys.argv[1:]
    try:
        from perdure.cli.root import root

        root.main(prog_name="perdure")
    except Exception as problem:  # noqa: BLE001 - the last one who can tell what happened
        if debug:
            _show_traceback(problem)
        else:
            _explain(problem)
    except KeyboardInterrupt:
        # Click tells of the first; this one came while that was told.
        return 130
    finally:
        _end_on_interrupt()
    return 1


def _leave(code: object) -> None:
    """End the process at once, where nothing is left to do but to free every module.

    Python takes 12 to 25 ms for that, a tenth of what a push may take. Not where a thread may be at
    work, or where what was printed cannot be written: Python then waits, and says what is wrong.
    """
    threading = sys.modules.get("threading")
    if not isinstance(code, int | None) or (threading and threading.active_count() > 1):
        return
    try:
        for stream in (sys.stdout, sys.stderr):
            # There is none where the descriptor was closed from the start.
            if isinstance(stream, io.TextIOWrapper):
                stream.flush()
    except (OSError, ValueError):
        return
    os._exit(code or 0)


def _end_on_interrupt() -> None:
    """From here on Ctrl-C ends the process at once.

    Python waits for threads when it ends, and would print a traceback of that wait. Whoever ignores
    the key, as a shell's job in the background, goes on ignoring it.
    """
    import signal

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _show_traceback(problem: Exception) -> None:
    """Print the whole traceback to stderr, without keys or terminal control sequences."""
    import traceback

    from perdure.companion.secrets import mask_secrets
    from perdure.terminal.sanitise import sanitise

    lines = sanitise(mask_secrets("".join(traceback.format_exception(problem)))[0])
    print(lines, end="", file=sys.stderr)  # noqa: T201 - what --debug asks for


_STORAGE = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO,
    errno.EMFILE, errno.ENFILE,
}  # fmt: skip


def _of_the_disk(problem: OSError) -> Exception:
    """An error of the disk, in the same form as other errors."""
    from perdure.git.errors import HistoryError, storage_errors

    try:
        with storage_errors("the command"):
            raise problem
    except HistoryError as told:
        return told


def _explain(problem: Exception) -> None:
    """Print one line to stderr: what happened, what is safe, what to do next."""
    from perdure.errors import Problem
    from perdure.terminal.sanitise import sanitise

    if isinstance(problem, OSError) and problem.errno in _STORAGE:
        problem = _of_the_disk(problem)
    if isinstance(problem, Problem):
        text = str(problem)
    else:
        text = (
            f"internal error: {type(problem).__name__}: {problem}. "
            "Nothing that was saved is affected. Run it again with --debug to see where"
        )
    line = " ".join(sanitise(text).split())
    print(f"perdure: {line}", file=sys.stderr)  # noqa: T201 - the one place that reports errors


if __name__ == "__main__":
    run()
