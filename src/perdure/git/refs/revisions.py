"""Revisions, as people write them: a branch, a tag, ``HEAD~3``, the start of an id."""

from __future__ import annotations

import re

from perdure.git.errors import HistoryError, UnknownRevision
from perdure.git.objects.commit import parents_of
from perdure.git.objects.store import ObjectStore
from perdure.git.refs.refs import Refs

_HEX = re.compile(r"[0-9a-f]{4,40}")
_SUFFIX = re.compile(r"\^\{(?:commit)?\}|~(\d{0,9})|\^(\d{0,4})")
_PLACES = ("{}", "refs/{}", "refs/tags/{}", "refs/heads/{}", "refs/remotes/{}")


class Revisions:
    """Finds commits by name, by the rules of ``gitrevisions`` that people use."""

    def __init__(self, store: ObjectStore, refs: Refs) -> None:
        self._store = store
        self._refs = refs

    def resolve(self, rev: str) -> str:
        """Id of the commit that a revision names.

        Raises:
            UnknownRevision: there is none, or several ids begin like this.
        """
        cut = min((rev.find(c) for c in "~^" if c in rev), default=len(rev))
        commit = self._commit(self._name(rev[:cut]), rev)
        at = cut
        while at < len(rev):
            found = _SUFFIX.match(rev, at)
            if not found or found.end() == at:
                raise self._unknown(rev)
            if found[1] is not None:
                for _ in range(int(found[1] or 1)):
                    commit = self._parent(commit, 1, rev)
            elif found[2] is not None and int(found[2] or 1) > 0:
                commit = self._parent(commit, int(found[2] or 1), rev)
            at = found.end()
        return commit

    @staticmethod
    def _unknown(rev: str) -> UnknownRevision:
        return UnknownRevision(f"{rev!r} is not a commit here", "", "look for it in the log")

    def _name(self, name: str) -> str:
        if name in {"", "@"}:
            name = "HEAD"
        if len(name) == 40 and _HEX.fullmatch(name):
            return name  # as git does, whatever branches are called
        if name == "HEAD" or (not any(c in name for c in "\0 ~^:?*[\\") and ".." not in name):
            for place in _PLACES:
                full = place.format(name)
                if full.startswith("refs/") or full in {"HEAD", "ORIG_HEAD", "MERGE_HEAD"}:
                    oid = self._refs.read(full)
                    if oid is not None:
                        return oid
        if _HEX.fullmatch(name.lower()):
            return self._by_prefix(name.lower())
        raise self._unknown(name)

    def _by_prefix(self, prefix: str) -> str:
        if len(prefix) == 40:
            return prefix
        kinds = {b"commit", b"tag"}
        found = [oid for oid in self._store.ids(prefix) if self._store.read(oid)[0] in kinds]
        if len(found) > 1:
            raise UnknownRevision(f"several commits begin with {prefix}", "", "give more digits")
        if not found:
            raise self._unknown(prefix)
        return found[0]

    def _commit(self, oid: str, rev: str) -> str:
        """Follow annotated tags to their commit."""
        for _ in range(10):
            try:
                kind, data = self._store.read(oid)
            except HistoryError as error:
                if oid.startswith(rev):
                    raise self._unknown(rev) from error
                raise
            if kind == b"commit":
                return oid
            if kind != b"tag" or not data.startswith(b"object "):
                break
            oid = data[7:47].decode("ascii", "replace")
        raise self._unknown(rev)

    def _parent(self, commit: str, number: int, rev: str) -> str:
        parents = parents_of(self._store.read(commit)[1])
        if number > len(parents):
            raise self._unknown(rev)
        return parents[number - 1]
