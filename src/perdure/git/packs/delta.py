"""Encodes objects as deltas of one another (``gitformat-pack``, "Deltified").

Versions of a conversation, a tree or a commit differ in few places, and which two belong together
is known from their path. So the start and the end that they share are found by comparing, and only
what lies between is looked at line by line (in a tree: entry by entry). git looks for likenesses
with a window over all objects instead; that takes longer and finds no more here.
"""

from __future__ import annotations

import re
import zlib

from perdure.git.objects.pack import NUMBERS, OFS_DELTA

_LONGEST_COPY = 0xFFFFFF
_SHORTEST_COPY = 5
"""Bytes below which a copy costs more than the bytes themselves."""
_PLAIN_MIDDLE = 48
"""A changed part that is not searched for lines."""
_LARGEST_MIDDLE = 256 * 1024
_ENTRY = re.compile(rb"[0-7]+ [^\0]+\0.{20}", re.DOTALL)
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")

Op = tuple[int, int] | bytes
"""Offset and size of a copy from the base, or bytes to insert."""


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def entry_header(number: int, size: int, back: int = 0) -> bytes:
    """Type and size of a pack entry, and how far behind it a delta's base begins."""
    byte = (number << 4) | (size & 15)
    size >>= 4
    head = bytearray()
    while size:
        head.append(byte | 0x80)
        byte = size & 0x7F
        size >>= 7
    head.append(byte)
    if number == OFS_DELTA:
        steps = [back & 0x7F]
        back >>= 7
        while back:
            back -= 1
            steps.append(back & 0x7F | 0x80)
            back >>= 7
        head += bytes(reversed(steps))
    return bytes(head)


def full_entry(kind: bytes, data: bytes) -> bytes:
    """A pack entry that holds a whole object."""
    return entry_header(NUMBERS[kind], len(data)) + zlib.compress(data)


def _shared_start(a: bytes, b: bytes) -> int:
    """How many bytes two strings have in common from the start; comparing slices is C's speed."""
    low, high = 0, min(len(a), len(b))
    if a[:high] == b[:high]:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return low


def _shared_end(a: bytes, b: bytes, most: int) -> int:
    """How many bytes they have in common at the end, ``most`` at most."""
    low, high = 0, most
    if not most or a[-most:] == b[-most:]:
        return most
    end_a, end_b = len(a), len(b)
    while high - low > 1:
        middle = (low + high) // 2
        if a[end_a - middle : end_a - low] == b[end_b - middle : end_b - low]:
            low = middle
        else:
            high = middle
    return low


class _Ops:
    """Copies and inserts in order; copies that follow one another in the base become one."""

    def __init__(self, base: bytes) -> None:
        self._base = base
        self._ops: list[Op] = []

    def copy(self, start: int, size: int) -> None:
        if not size:
            return
        last = self._ops[-1] if self._ops else None
        if isinstance(last, tuple) and last[0] + last[1] == start:
            self._ops[-1] = (last[0], last[1] + size)
        elif size < _SHORTEST_COPY:
            self.insert(self._base[start : start + size])
        else:
            self._ops.append((start, size))

    def insert(self, data: bytes) -> None:
        if not data:
            return
        last = self._ops[-1] if self._ops else None
        if isinstance(last, bytes):
            self._ops[-1] = last + data
        else:
            self._ops.append(data)

    def render(self, size: int) -> bytes:
        out = [_varint(len(self._base)), _varint(size)]
        for op in self._ops:
            if isinstance(op, bytes):
                for at in range(0, len(op), 127):
                    piece = op[at : at + 127]
                    out.append(bytes((len(piece),)))
                    out.append(piece)
            else:
                _render_copy(out, *op)
        return b"".join(out)


def _render_copy(out: list[bytes], start: int, size: int) -> None:
    while size > 0:
        length = min(size, _LONGEST_COPY)
        op = 0x80
        given = bytearray()
        for bit in range(4):
            byte = (start >> (8 * bit)) & 0xFF
            if byte:
                op |= 1 << bit
                given.append(byte)
        for bit in range(3):
            byte = (length >> (8 * bit)) & 0xFF
            if byte:
                op |= 0x10 << bit
                given.append(byte)
        out.append(bytes((op,)))
        out.append(bytes(given))
        start += length
        size -= length


def delta(kind: bytes, base: bytes, target: bytes) -> bytes:
    """The instructions that make ``target`` from ``base``; both are objects of one kind."""
    ops = _Ops(base)
    start = _shared_start(base, target)
    end = _shared_end(base, target, min(len(base), len(target)) - start)
    ops.copy(0, start)
    old, new = base[start : len(base) - end], target[start : len(target) - end]
    if len(new) <= _PLAIN_MIDDLE or not old or len(new) + len(old) > _LARGEST_MIDDLE:
        ops.insert(new)
    else:
        _by_parts(ops, base, target, start, end, _ENTRY if kind == b"tree" else _LINE)
    ops.copy(len(base) - end, end)
    return ops.render(len(target))


def _by_parts(
    ops: _Ops, base: bytes, target: bytes, start: int, end: int, pattern: re.Pattern[bytes]
) -> None:
    """The part between the shared start and end, part by part.

    A part is copied where the base has the very same one; else from one that begins with the same
    word (``parent``, ``Turn:``, the name of an entry), as far as the two are alike.
    """
    same: dict[bytes, int] = {}
    alike: dict[bytes, tuple[int, bytes]] = {}
    for found in pattern.finditer(base):
        part = found.group()
        same.setdefault(part, found.start())
        alike.setdefault(_key(part, pattern), (found.start(), part))
    until = len(target) - end
    at = start
    # The first part may have begun in the shared start already.
    for found in pattern.finditer(target):
        first, last = found.span()
        if last <= start:
            continue
        if first >= until:
            break
        skipped = max(0, at - first)
        part = found.group()
        other = alike.get(_key(part, pattern))
        _one_part(ops, part, skipped, min(last, until) - first, same, other)
        at = min(last, until)
    ops.insert(target[at:until])


def _key(part: bytes, pattern: re.Pattern[bytes]) -> bytes:
    return part[:-20] if pattern is _ENTRY else part.partition(b" ")[0]


def _one_part(
    ops: _Ops,
    part: bytes,
    first: int,
    last: int,
    same: dict[bytes, int],
    alike: tuple[int, bytes] | None,
) -> None:
    """Bytes ``first`` to ``last`` of one part."""
    there = same.get(part)
    if there is not None:
        ops.copy(there + first, last - first)
        return
    if alike is None:
        ops.insert(part[first:last])
        return
    offset, other = alike
    head = min(_shared_start(part, other), last)
    if head > first:
        ops.copy(offset + first, head - first)
        first = head
    tail = _shared_end(part, other, min(len(part), len(other)) - head)
    middle = max(first, min(last, len(part) - tail))
    ops.insert(part[first:middle])
    if last > middle:
        ops.copy(offset + len(other) - (len(part) - middle), last - middle)
