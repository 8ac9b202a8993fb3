from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.stray_files import is_scratch_file, original_of

SURE = [
    "10-who.sync-conflict-20260101-120000-ABCDEFG.md",
    "10-who.sync-conflict-20160101-120000.md",
    "10-who (conflicted copy 2026-01-01).md",
    "10-who (Ana's conflicted copy 2026-01-01).md",
    "10-who (Ana’s conflicted copy 2026-01-01 (1)).md",
    "10-who (Conflicted copy desk 202601011200).md",
    "10-who (conflicted copy 2026-01-01 120000).md",
    "10-who (In Konflikt stehende Kopie von Ana 2026-01-01).md",
    "10-who (copie en conflit de Ana 2026-01-01).md",
    "10-who (Copia en conflicto de Ana 2026-01-01).md",
    "10-who (copia in conflitto di Ana 2026-01-01).md",
    "10-who (Cópia em conflito de Ana 2026-01-01).md",
    "10-who (конфликтующая копия с компьютера Ана 2026-01-01).md",
    "10-who (Ana 的冲突副本 2026-01-01).md",
    "10-who (Anaの競合コピー 2026-01-01).md",
    "10-who (Ana의 충돌된 복사본 2026-01-01).md",
    "10-who (SFConflict ana@example.org 2026-01-01-12-00-00).md",
    "10-who (copy: conflict from desk on 2026-01-01).md",
    "10-who.md (copy: conflict from desk on 2026-01-01)",
    "10-who_conflict-20260101-120000.md",
    "10-who_conflict-ana-20260101-120000.md",
    "10-who (kolizja kopia Ana 2026-01-01).md",
    "10-who (kopia w konflikcie 2026-01-01).md",
    "10-who (salinan yang bertentangan Ana 2026-01-01).md",
]
MAYBE = [
    "10-who 2.md",
    "10-who (1).md",
    "10-who(1).md",
    "10-who copy.md",
    "10-who copy 2.md",
    "10-who - Copy.md",
    "10-who - Copy (2).md",
    "10-who - Kopie.md",
    "10-who — копия.md",
    "10-who - 副本.md",
    "10-who (copy).md",
    "10-who (another copy).md",
    "10-who (3rd copy).md",
    "10-who-DESKTOP-AB12CD3.md",
    "10-who-DESKTOP-AB12CD3-2.md",
    "10-who-LAPTOP-ABC.md",
    "10-who-Ana's MacBook.md",
    "10-who-Ana’s MacBook Pro.md",
    "10-who-Anas-MacBook-Pro.local.md",
    "10-who.Conflict.md",
    "10-who.conflict1.md",
    "10-who.md.conflict2",
    "10-who (Case Conflict).md",
    "10-who (conflict with the one of 2026-01-01).md",
    "10-who [conflicted].md",
    "10-who_desk_Jan-01-120000-2026_Conflict.md",
    "10-who_BASE_1234.md",
    "10-who_REMOTE_1234.md",
    "10-who.LOCAL.1234.md",
    "10-who.variant-3f2a.md",
    "10-who.bak.md",
    "10-who.md.mine",
    "10-who.md.r12",
    "10-who (สำเนาที่ขัดแย้งกันของ Ana 2026-01-01).md",
    "10-who (xx yyyyy zzz Ana 2026-01-01).md",
    "10-who (# Name clash 2026-01-01 ab1 #).md",
    "10-who-Conflicted copy 2026-01-01.md",
    "10-who.synced-conflict.md",
    "10-who.conflict.20260101.md",
    "10-who.md~HEAD",
    "10-who.md~main",
    "10-who~1.md",
    "Copy of 10-who.md",
    "Kopie von 10-who.md",
    "Copia de 10-who.md",
]
OWN = [
    "10-who.md", "10-who-am-i.md", "10-who-notes.md", "10-whose.md", "20-voice.md", "2.md",
    "(1).md",
    "10-who and conflict.md", "10-who (friend).md", "10-who (conflict).txt", "copy.md", "copy 2.md",
    "conflict.md", "10-who-NATO.md", "10-who 2026.md", "10-who (2026).md", "10-who-2.md",
    "10-who (2026-01-01).md", "10-who (May 2026-01-01).md", "Copy of a letter.md",
    "10-who-conflict.md", "photocopy.md",
    "Tom (copy editor).md", "war.Conflict.md", "Mac.md", "", ".", "()", "x)",
]  # fmt: skip


@pytest.mark.parametrize("name", SURE)
def test_a_name_that_says_what_it_is_is_a_copy_alone(name: str) -> None:
    assert original_of(name, ()) == "10-who.md"


@pytest.mark.parametrize("name", MAYBE)
def test_a_name_that_could_be_anybodys_is_a_copy_beside_its_original_only(name: str) -> None:
    assert original_of(name, ["20-voice.md", name]) is None
    assert original_of(name, ["10-who.md", name]) == "10-who.md"


@pytest.mark.parametrize("name", OWN)
def test_a_file_of_its_own_is_no_copy(name: str) -> None:
    assert original_of(name, ["10-who.md", name]) is None


def test_copies_of_settings_ignore_rules_and_folders_are_known() -> None:
    root = ["companion.yaml", ".gitignore", "persona", "conversations"]
    assert original_of("companion.sync-conflict-20260101-120000-ABCDEFG.yaml", root) == root[0]
    assert original_of("companion 2.yaml", root) == root[0]
    assert original_of(".sync-conflict-20260101-120000-ABCDEFG.gitignore", root) == ".gitignore"
    assert original_of(".gitignore (Ana's conflicted copy 2026-01-01)", root) == ".gitignore"
    assert original_of("persona 2", root) == "persona"
    assert original_of("conversations (conflicted copy 2026-01-01)", root) == "conversations"


@pytest.mark.parametrize(
    "name",
    ["4913", "5036", "x.md~", ".x.md.swp", "#x.md#", ".#x.md", "._x.md", ".~lock.x.md#", "~$x.md",
     "x.md.tmp", "x.md.bak", "x.md.orig", "x.md___jb_tmp___", ".goutputstream-ABCDEF",
     "desktop.ini", "Desktop.ini", "Thumbs.db", "Icon\r", "x.md.save.1", "x.md.kate-bak",
     "x.md.bck",
     "x.md.crswap", "x.md.!sync", "x.md.icloud", "x.md.filepart", "x.md.sb-1a2b3c4d-AbC12D",
     ".x.md.kate-swp", "~syncthing~x.md.tmp", ".syncthing.x.md.tmp"],
)  # fmt: skip
def test_scratch_files_of_editors_are_known(name: str) -> None:
    assert is_scratch_file(name)


@pytest.mark.parametrize(
    "name", ["x.md", "4914", "1984", "10-who.md", "49130", "٤٩١٣", "thumbs.md"]
)
def test_what_people_write_is_no_scratch(name: str) -> None:
    assert not is_scratch_file(name)


@given(st.text(max_size=40), st.lists(st.text(max_size=12), max_size=4))
def test_any_name_is_looked_at_without_trouble(name: str, beside: list[str]) -> None:
    is_scratch_file(name)
    original = original_of(name, beside)
    assert original is None or original != name
