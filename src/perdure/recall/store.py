"""The index file: every word that was said, and the messages of each chunk.

It is in ``.git/perdure/cache`` and follows from the chunks alone. A message keeps one row forever,
named by a hash of what it is, so a chunk that grows by a turn costs that turn, and branches share
what they share. Which rows count for a question is decided by the tree that it is asked of.

The full-text table keeps no text (it can be read in the repository) and no positions beyond what
`fts5vocab` counts; it is our dictionary and our lists of rows by word. SQLite's own ranking is not
used: its statistics are those of all rows, so that another branch would change the order.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from perdure.companion.conversation.chunk import parse_chunk_path, parse_chunks
from perdure.companion.turns import Message, Reply
from perdure.git import cache_file
from perdure.recall.language.languages import (
    LANGUAGES,
    NUMBERS,
    USUAL,
    folded,
    history_languages,
    language_of,
    name_of,
    script_of,
    stem,
)
from perdure.recall.language.words import tokens_of, words_of

VERSION = 4
"""Part of the file's name: an index of another version is not looked at, and removed."""
INDEX_FILES = f"recall-{VERSION}"
"""How the names of its files begin (`perdure.git.cache_file`)."""
TREES = 32
"""Trees whose lists of chunks are kept: as many branches as anybody goes to and fro between."""
_LAST = "\U0010ffff"
"""No word goes on with it: the end of those that begin with some letters."""
_LONGEST_WORD = 40
"""Letters of a word that gets stems; what is longer is an address, or no word at all."""
_SCHEMA = """
-- Words come folded, with spaces between them; this tokenizer does nothing more to them.
CREATE VIRTUAL TABLE said USING fts5(
  text, content='', columnsize=0, detail=full, tokenize='ascii');
CREATE TABLE words (word TEXT PRIMARY KEY) WITHOUT ROWID;  -- each that has stems, with its accents
CREATE TABLE languages (number INTEGER PRIMARY KEY);       -- in which all words have their stems
CREATE TABLE backwards (token TEXT PRIMARY KEY) WITHOUT ROWID;  -- words that may be compounds
CREATE TABLE stems (language INTEGER, stem TEXT, token TEXT, PRIMARY KEY (language, stem, token))
  WITHOUT ROWID;
CREATE TABLE messages (id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE);
CREATE TABLE speakers (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE chunks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never that of a chunk which went
  blob BLOB NOT NULL,
  path TEXT NOT NULL,
  rows BLOB NOT NULL,         -- WIDTH numbers a message
  conversations TEXT NOT NULL,
  UNIQUE (blob, path)
);
CREATE TABLE trees (
  id BLOB PRIMARY KEY,        -- of the folder `conversations`
  chunks BLOB NOT NULL,       -- their ids, oldest conversation first
  used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE vectors (model TEXT, message INTEGER, vector BLOB, PRIMARY KEY (model, message))
  WITHOUT ROWID;
CREATE TABLE whole (yes INTEGER);  -- made last: a file without it was never finished
"""
WIDTH = 9
"""Numbers of one message: row, conversation within the chunk, turn, speaker, words, the time in
seconds, in UTC and on the speaker's clock, 0 where it is not known, its language, and a checksum of
its words, by which the same sentence said again is known."""


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk: its number here, its path, its messages, and their conversations."""

    id: int
    path: str
    rows: array[int]
    conversations: tuple[str, ...]

    def message_rows(self) -> array[int]:
        """The rows of its messages, in their order."""
        return self.rows[0::WIDTH]


class Store(cache_file.CacheFile):
    """One open index file, or one in memory, without a path. What it raises is sqlite3.Error."""

    def __init__(self, db: sqlite3.Connection, path: Path | None) -> None:
        super().__init__(db)
        self.path = path
        self._counted: dict[str, int] = {}
        self._words: set[str] = set()
        db.execute("CREATE VIRTUAL TABLE temp.places USING fts5vocab(main, said, instance)")
        db.execute("CREATE VIRTUAL TABLE temp.counts USING fts5vocab(main, said, row)")

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open the newest index file, or make one."""
        path = newest(folder) or cache_file.create(folder, INDEX_FILES, _SCHEMA)
        db = cache_file.connect(path, "SELECT yes FROM whole")
        return cls._over(db, path, "PRAGMA cache_size = -16000")

    @classmethod
    def in_memory(cls) -> Store:
        """An empty index for when there can be no file; it is gone once closed."""
        db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        return cls._over(db, None, _SCHEMA)

    @classmethod
    def _over(cls, db: sqlite3.Connection, path: Path | None, script: str) -> Store:
        try:
            db.executescript(script)
            return cls(db, path)
        except BaseException:
            db.close()
            raise

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write all of the block or nothing."""
        try:
            with cache_file.writing(self._db):
                yield
        except BaseException:
            self._words.clear()
            raise

    # Chunks and trees

    def has(self, blob: str, path: str) -> int | None:
        """The number of an indexed chunk."""
        question = "SELECT id FROM chunks WHERE blob = ? AND path = ?"
        row = self.row(question, bytes.fromhex(blob), path)
        return int(row[0]) if row else None

    def known(self) -> dict[tuple[str, str], int]:
        """The numbers of all indexed chunks, by path and blob."""
        rows = self._db.execute("SELECT path, blob, id FROM chunks")
        return {(path, blob.hex()): number for path, blob, number in rows}

    def last_chunk(self) -> int:
        """The newest number of any chunk."""
        return int(self.column("SELECT ifnull(max(id), 0) FROM chunks")[0])

    def path_of(self, number: int) -> str | None:
        """The path of a chunk."""
        row = self.row("SELECT path FROM chunks WHERE id = ?", number)
        return str(row[0]) if row else None

    def begins_with(self, longer: int, shorter: int) -> bool:
        """Whether a chunk has all messages of another, and maybe more."""
        both = self.chunks([longer, shorter])
        if len(both) < 2:
            return False
        data = both[shorter].rows
        return both[longer].rows[: len(data)] == data

    def chunks(self, ids: Sequence[int]) -> dict[int, StoredChunk]:
        """Read chunks by their numbers; those that are gone are left out."""
        wanted, question = set(ids), "SELECT id, path, rows, conversations FROM chunks"
        if len(ids) > 200:
            rows = self._db.execute(question).fetchall()
        else:
            each = (self.row(f"{question} WHERE id = ?", number) for number in ids)
            rows = [row for row in each if row]
        return {
            number: StoredChunk(number, path, _numbers(data), tuple(names.split()))
            for number, path, data, names in rows
            if number in wanted
        }

    def tree(self, oid: str) -> array[int] | None:
        """The chunks of a tree in the order of its conversations; None for one not yet known."""
        row = self.row("SELECT chunks FROM trees WHERE id = ?", bytes.fromhex(oid))
        return _numbers(row[0]) if row else None

    def newest_tree(self) -> str | None:
        """The tree that was asked about last."""
        row = self.row("SELECT id FROM trees ORDER BY used DESC LIMIT 1")
        return row[0].hex() if row else None

    def keep_tree(self, oid: str, chunks: Sequence[int], instead_of: str | None) -> None:
        """Keep a tree in place of the one that it grew from; drop those not asked for lately.

        Chunks that no kept tree has go with them. Their messages stay: most are in a newer version
        of the chunk, and the others are not of the tree that a question is about.
        """
        if instead_of is not None:
            self._db.execute("DELETE FROM trees WHERE id = ?", (bytes.fromhex(instead_of),))
        self._db.execute(
            "INSERT OR REPLACE INTO trees VALUES (?, ?, ?)",
            (bytes.fromhex(oid), array("I", chunks).tobytes(), time.time_ns()),
        )
        pruned = self._db.execute(
            "DELETE FROM trees WHERE id NOT IN (SELECT id FROM trees ORDER BY used DESC LIMIT ?)",
            (TREES,),
        )
        if pruned.rowcount > 0:
            self.drop_chunks(self.column("SELECT id FROM chunks"))

    def drop_chunks(self, ids: Sequence[int]) -> None:
        """Forget chunks, except those that a kept tree has."""
        if not ids:
            return
        trees = [*map(_numbers, self.column("SELECT chunks FROM trees"))]
        if len(ids) > TREES:
            kept = {number for tree in trees for number in tree}
            gone = [number for number in ids if number not in kept]
        else:
            gone = [number for number in ids if not any(number in tree for tree in trees)]
        self._db.executemany("DELETE FROM chunks WHERE id = ?", [(number,) for number in gone])

    def add_chunk(self, blob: str, path: str, data: bytes) -> int:
        """Index one chunk; returns its number."""
        conversations: dict[str, int] = {}
        numbers = array("I")
        said: list[tuple[int, str]] = []
        heard: set[str] = set()
        named = parse_chunk_path(path)
        for chunk in parse_chunks(data, path):
            conversation = str(chunk.head.conversation or (named and named[0]))
            place = conversations.setdefault(conversation, len(conversations))
            for turn in chunk.turns:
                for order, message in enumerate((turn.message, *turn.replies)):
                    if message is None:
                        continue
                    name = f"{conversation}/{turn.number}/{order}"
                    row, is_new = self._message(name, message)
                    words = words_of(message.text)
                    language = NUMBERS.get(language_of(words), 0)
                    tokens = _stored(" ".join(tokens_of(words)))
                    if is_new:
                        said.append((row, tokens))
                        heard.update(words)
                    numbers.extend(
                        (
                            row,
                            place,
                            turn.number,
                            self._speaker(message.speaker),
                            _length(words),
                            *_seconds(message),
                            language,
                            zlib.crc32(tokens.encode()),
                        )
                    )
        self._db.executemany("INSERT INTO said (rowid, text) VALUES (?, ?)", said)
        self._learn(heard - self._words)
        cursor = self._db.execute(
            "INSERT INTO chunks (blob, path, rows, conversations) VALUES (?, ?, ?, ?)",
            (bytes.fromhex(blob), path, numbers.tobytes(), " ".join(conversations)),
        )
        return int(cursor.lastrowid or 0)

    def _message(self, name: str, message: Message | Reply) -> tuple[int, bool]:
        text = f"{name}\0{message.speaker}\0{message.text}"
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
        row = self.row("SELECT id FROM messages WHERE hash = ?", digest)
        if row:
            return int(row[0]), False
        cursor = self._db.execute("INSERT INTO messages (hash) VALUES (?)", (digest,))
        return int(cursor.lastrowid or 0), True

    def _speaker(self, name: str) -> int:
        plain = name.encode("utf-8", "replace").decode()
        self._db.execute("INSERT OR IGNORE INTO speakers (name) VALUES (?)", (plain,))
        return int(self.column("SELECT id FROM speakers WHERE name = ?", plain)[0])

    def speakers(self) -> dict[int, str]:
        """Who speaks, by number."""
        return dict(self._db.execute("SELECT id, name FROM speakers").fetchall())

    def last_row(self) -> int:
        """The newest row of any message, which is also how many there are."""
        return int(self.column("SELECT ifnull(max(id), 0) FROM messages")[0])

    def vectors(self, model: str, rows: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Vectors of messages, as far as there are any."""
        if len(rows) > 2000:
            wanted = set(rows)
            every = self._db.execute(
                "SELECT message, vector FROM vectors WHERE model = ?", (model,)
            )
            yield from ((row, data) for row, data in every if row in wanted)
            return
        for row in rows:
            question = "SELECT vector FROM vectors WHERE model = ? AND message = ?"
            data = self.row(question, model, row)
            if data is not None:
                yield row, data[0]

    def keep_vectors(self, model: str, vectors: Sequence[tuple[int, bytes]]) -> None:
        """Keep vectors of messages."""
        self._db.executemany(
            "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)",
            [(model, row, data) for row, data in vectors],
        )

    # Words

    def _learn(self, heard: set[str]) -> None:
        """Give new words their stems in every language of the index.

        A stem needs no more than the word, so what a tree's own messages have is the same
        whatever else is here.
        """
        self._words |= heard
        new = [
            word
            for word in sorted(filter(_has_stems, heard))
            if self._db.execute("INSERT OR IGNORE INTO words VALUES (?)", (word,)).rowcount > 0
        ]
        have = self._languages()
        self._add_stems(sorted(have), new)
        usual = {NUMBERS[USUAL[script]] for script in {script_of(word) for word in new}}
        for number in sorted(usual - have):
            self._add_language(number)

    def have_languages(self, chunks: Sequence[int], among: Sequence[int]) -> None:
        """Make stems in every language of a tree. The caller holds the writer's lock.

        Args:
            chunks: those of the tree.
            among: those that may have brought a language.
        """
        have = self._languages() | {0}
        if all(have.issuperset(each.rows[7::WIDTH]) for each in self.chunks(among).values()):
            return
        counts: Counter[int] = Counter()
        for each in self.chunks(chunks).values():
            counts.update(each.rows[7::WIDTH])
        for number in sorted(NUMBERS[name] for name in history_languages(counts)):
            if number not in have:
                self._add_language(number)

    def _languages(self) -> set[int]:
        return set(self.column("SELECT number FROM languages"))

    def _add_language(self, number: int) -> None:
        self._db.execute("INSERT OR IGNORE INTO languages VALUES (?)", (number,))
        self._add_stems([number], self.column("SELECT word FROM words ORDER BY word"))

    def _add_stems(self, languages: Sequence[int], words: Sequence[str]) -> None:
        if any(LANGUAGES[name_of(number)].compounds for number in languages):
            self._db.executemany(
                "INSERT OR IGNORE INTO backwards VALUES (?)",
                [(folded(word)[::-1],) for word in words if script_of(word) == "latin"],
            )
        self._db.executemany(
            "INSERT OR IGNORE INTO stems VALUES (?, ?, ?)",
            (
                (number, found, folded(word))
                for number in languages
                for word in words
                if (found := stem(name_of(number), word))
            ),
        )

    def tokens(self, language: str, stem: str) -> list[str]:
        """The words that have a stem in a language, as the index has them."""
        question = "SELECT token FROM stems WHERE language = ? AND stem = ?"
        return self.column(question, NUMBERS[language], _stored(stem))

    def count(self, term: str, enough: int) -> int:
        """How often a term is in all rows; at least ``enough`` where there are that many.

        Rows are never removed, so what was enough once stays enough; counting them takes time.
        """
        known = self._counted.get(term, 0)
        if known >= enough:
            return known
        row = self.row("SELECT cnt FROM temp.counts WHERE term = ?", _stored(term))
        found = int(row[0]) if row else 0
        if found >= enough:
            self._counted[term] = found
        return found

    def rows(self, term: str) -> list[int]:
        """Rows that have a term, of every branch; one that has it twice is there twice."""
        return self.column("SELECT doc FROM temp.places WHERE term = ?", _stored(term))

    def words_beginning_with(self, letters: str) -> list[str]:
        """Words that begin with some letters, with their accents; none that has no stem."""
        first = _stored(letters)
        question = "SELECT word FROM words WHERE word >= ? AND word < ?"
        return self.column(question, first, first + _LAST)

    def beginning_with(self, letters: str) -> list[str]:
        """Words that begin with some letters, as the index has them."""
        question = "SELECT term FROM temp.counts WHERE term >= ? AND term < ?"
        return self.column(question, letters, letters + _LAST)

    def ending_with(self, letters: str) -> list[str]:
        """Words that end with some letters, where a language of the index has compounds."""
        begin = letters[::-1]
        question = "SELECT token FROM backwards WHERE token >= ? AND token < ?"
        return [token[::-1] for token in self.column(question, begin, begin + _LAST)]


def newest(folder: Path) -> Path | None:
    """The newest index file of this version."""
    return cache_file.newest(folder, INDEX_FILES)


def _numbers(data: bytes) -> array[int]:
    if len(data) % 4:
        raise sqlite3.DatabaseError("a list of numbers in the index is cut short")
    numbers = array("I")
    numbers.frombytes(data)
    return numbers


def _stored(text: str) -> str:
    """A text that can be stored: lone surrogates cannot, and nobody looks for them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _has_stems(word: str) -> bool:
    if len(word) > _LONGEST_WORD or not script_of(word):
        return False
    return word.isalpha() or not any(letter.isnumeric() for letter in word)


def _length(words: Sequence[str]) -> int:
    """Words of a message as the tokenizer counts them: a run without spaces as so many pairs."""
    return sum(len(word) if word > "\u3000" else 1 for word in words)


def _seconds(message: Message | Reply) -> tuple[int, int]:
    if message.at is None:
        return 0, 0
    moment = int(message.at.timestamp())
    offset = message.at.utcoffset()
    wall = moment + (int(offset.total_seconds()) if offset is not None else 0)
    return (moment, wall) if 0 < moment < 2**32 and 0 < wall < 2**32 else (0, 0)
