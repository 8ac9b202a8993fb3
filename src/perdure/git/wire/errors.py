"""What can go wrong with a remote. Each error says what is safe and what to do.

What a server sends is a stranger's text: `server_words` makes it one short line without characters
that steer a terminal. No error holds a password, a token, or an address that has one.
"""

from __future__ import annotations

from perdure.git.errors import DamagedRepository, HistoryError

SAFE = "everything here is as it was"
LONGEST_WORDS = 200
"""Characters of one thing that a server says."""


class RemoteProblem(HistoryError):
    """Base class: the remote could not be asked, or did not do what it was asked."""

    passing = False
    """Whether the same thing may well work later, with nobody doing anything about it."""


class BadAddress(RemoteProblem):
    """A text that is no address of a remote, or one that perdure does not follow."""


class Unreachable(RemoteProblem):
    """No such host, nobody listening there, or no way to it."""

    passing = True


class RemoteSilent(RemoteProblem):
    """The remote has not said anything for too long."""

    passing = True


class CutOff(RemoteProblem):
    """The connection ended in the middle."""

    passing = True


class ServerTrouble(RemoteProblem):
    """The server says that it cannot do it right now."""

    passing = True


class NoRepositoryThere(RemoteProblem):
    """The server answers, and has no such repository, or none for this user."""


class EmptyRemote(RemoteProblem):
    """There is a repository, and it has no branch."""


class OddContent(RemoteProblem):
    """The remote sends what may not be in a companion, or not all of what belongs to it."""


class DamagedRemote(DamagedRepository, RemoteProblem):
    """The repository in a folder that is a remote cannot be read whole."""


class NotAllowed(RemoteProblem):
    """The server knows who is asking, and forbids it."""


class SignInRefused(RemoteProblem):
    """The server takes none of the keys, passwords and tokens that are at hand."""


class NeedsTyping(RemoteProblem):
    """Somebody would have to type a password, which perdure asks nobody for by itself."""


class UnknownHostKey(RemoteProblem):
    """Nobody has said yet that the ssh server's key is the right one."""


class ChangedHostKey(RemoteProblem):
    """The ssh server has a different key from the one that is known."""


class UntrustedCertificate(RemoteProblem):
    """The server's certificate is not one that this machine trusts."""


class LeadsElsewhere(RemoteProblem):
    """The server sends us on to another host, or from https to http."""


class NotGit(RemoteProblem):
    """Something answers, but not as a git server does."""


class TooMuch(RemoteProblem):
    """More than perdure takes from a remote, or than the remote takes from perdure."""


class PackRefused(RemoteProblem):
    """The remote could not unpack what it was sent; it took nothing."""


class UnsupportedRemote(RemoteProblem):
    """A kind of repository that perdure does not support: SHA-256."""


def server_words(text: str | bytes, most: int = LONGEST_WORDS) -> str:
    """What a server says, as one short line of printable characters."""
    if isinstance(text, bytes):
        text = text[: 4 * most].decode("utf-8", "replace")
    plain = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * most]).split())
    return plain if len(plain) <= most else f"{plain[: most - 1]}…"
