"""Files of the work tree, read and written without ever following a link out of it.

Every path is checked here, where it is opened, whoever has named it: a tree, an index, a plan that
a crash left.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from perdure.git import disk, links
from perdure.git.errors import too_many
from perdure.git.objects.store import object_id
from perdure.git.paths import check_path, is_path

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


@dataclass(frozen=True, slots=True)
class WorkFile:
    """A regular file as it stands in the work tree."""

    data: bytes
    stat: os.stat_result

    @property
    def oid(self) -> str:
        """The blob id of its content."""
        return object_id(b"blob", self.data)


FolderListing = tuple[str, list[str], dict[str, os.stat_result]]
"""A folder's path, names of the folders in it, and by name what else is in it, links unfollowed."""


def files_in(listings: Iterable[FolderListing]) -> dict[str, os.stat_result]:
    """The stat of everything listed that is no folder, by whole path."""
    return {
        f"{folder}/{name}" if folder else name: found
        for folder, _, files in listings
        for name, found in files.items()
    }


class NotRegular(Exception):
    """There is something other than a regular file at the path."""


class TooLarge(NotRegular):
    """A file is too large to read. ``size`` is in bytes."""

    def __init__(self, path: str, size: int) -> None:
        super().__init__(path)
        self.size = size


MOST_BYTES = 64 * 1024 * 1024
"""Of a file that perdure reads; a larger one is git's business."""


class WorkTree:
    """The work tree below one folder. Paths are relative, with slashes."""

    def __init__(self, root: Path, spare: Path) -> None:
        self.root = root
        self._spare = spare

    @contextlib.contextmanager
    def _folder(self, path: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
        """The open folder that a path is in, and its name there.

        Raises:
            BadPath: no file can be there (`perdure.git.paths`).
            OSError: a link is on the way, or the folder is not there.
        """
        *folders, name = check_path(path)
        fd = links.open_folder(self.root, folders, create=create)
        try:
            yield fd, name
        finally:
            os.close(fd)

    def read(self, path: str, *, most: int = MOST_BYTES) -> WorkFile | None:
        """A file's content and stat; None if there is nothing.

        Args:
            path: where.
            most: bytes up to which it is read.

        Raises:
            TooLarge: it has more.
            NotRegular: a link, a folder or a device is there, or on the way there, or no file can
                be there.
        """
        if not is_path(path):
            raise NotRegular(path)
        try:
            with self._folder(path) as (folder, name):
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
                fd = os.open(name, flags, dir_fd=folder)
                found = os.fstat(fd)
                if not stat.S_ISREG(found.st_mode):
                    os.close(fd)
                    raise NotRegular(path)
                if found.st_size > most:
                    os.close(fd)
                    raise TooLarge(path, found.st_size)
                with open(fd, "rb") as file:  # noqa: PTH123 (an open descriptor, no path)
                    return WorkFile(file.read(), found)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in _NOT_THERE:
                raise NotRegular(path) from error
            raise

    def holds(self, path: str, oid: str | None) -> bool:
        """Whether a work file has a blob's content; for None, whether there is no file."""
        try:
            seen = self.read(path)
        except (NotRegular, OSError):
            return False
        return (seen.oid if seen else None) == oid

    def stat(self, path: str) -> os.stat_result | None:
        """A file's stat, without following links; None if there is no file."""
        if not is_path(path):
            return None
        try:
            with self._folder(path) as (folder, name):
                return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            raise

    def below(self, folder: str, *, most: int) -> dict[str, os.stat_result]:
        """What is below a folder and no folder itself, with its stat: `walk` by whole paths."""
        return files_in(self.walk(folder, most=most))

    def walk(
        self,
        folder: str,
        *,
        most: int,
        unread: Callable[[str, OSError], None] | None = None,
    ) -> Iterator[FolderListing]:
        """Walk a folder and everything below it, without following links.

        Folders that begin with a dot are named and not gone into, git's own among them. The folder
        itself may be missing, or something else: then there is nothing.

        Args:
            folder: where to begin; "" is the root.
            most: files and folders that there may be.
            unread: called with a folder that cannot be read, which is then passed over.

        Raises:
            TooManyFiles: there are more than ``most`` files and folders.
            OSError: a folder cannot be read, and ``unread`` is not given.
        """
        waiting, seen = [folder], 0
        while waiting:
            here = waiting.pop()
            start = f"{here}/" if here else ""
            folders: list[str] = []
            files: dict[str, os.stat_result] = {}
            try:
                for entry, is_folder in self._entries(here):
                    seen += 1
                    if seen > most:
                        raise too_many(folder, most)
                    if is_folder:
                        folders.append(entry.name)
                    else:
                        with contextlib.suppress(FileNotFoundError):
                            files[entry.name] = entry.stat(follow_symlinks=False)
            except OSError as error:
                if unread is None:
                    raise
                unread(here, error)
            yield here, folders, files
            waiting += [
                start + name for name in folders if name[0] != "." and is_path(start + name)
            ]

    def _entries(self, folder: str) -> Iterator[tuple[os.DirEntry[str], bool]]:
        """Names directly in a folder, and whether each is a folder."""
        try:
            fd = links.open_folder(self.root, check_path(folder) if folder else ())
        except OSError as error:
            if error.errno in _NOT_THERE:
                return
            raise
        try:
            with os.scandir(fd) as entries:
                yield from ((entry, entry.is_dir(follow_symlinks=False)) for entry in entries)
        finally:
            os.close(fd)

    def write(
        self,
        path: str,
        data: bytes,
        *,
        over: os.stat_result | None,
        synced: bool,
        mode: int | None = None,
    ) -> os.stat_result | None:
        """Put a file in place in one step.

        Args:
            path: where.
            data: its content.
            over: stat of the file that is replaced; None when there must be none.
            synced: whether it has to be on the disk at return.
            mode: its permissions; those of the file that is replaced without.

        Returns:
            Its stat, or None where another file has come up meanwhile and stays.

        Raises:
            BadPath: no file can be there.
        """
        check_path(path)
        temporary = self._spare / f"{os.getpid()}"
        temporary.unlink(missing_ok=True)
        if mode is None:
            mode = disk.FILE_MODE if over is None else stat.S_IMODE(over.st_mode)
        try:
            disk.write_file(temporary, data, synced=synced, mode=mode)
        except FileNotFoundError:
            disk.make_folder(self._spare)
            disk.write_file(temporary, data, synced=synced, mode=mode)
        try:
            with self._folder(path, create=True) as (folder, name):
                if not self._is_still(folder, name, over):
                    return None
                _move(temporary, folder, name, replace=over is not None)
                if synced:
                    disk.sync(folder)
                return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            return None
        except OSError as error:
            if error.errno in _NOT_THERE:
                return None
            raise
        finally:
            temporary.unlink(missing_ok=True)

    def add(
        self, files: Iterable[tuple[str, bytes, int]], *, synced: bool
    ) -> dict[str, os.stat_result | None]:
        """Write new files where they belong, in a work tree that nobody uses yet.

        Those of one folder come one after another: it is opened once.

        Args:
            files: paths, each with its content and its permissions.
            synced: whether they have to be on the disk at return.

        Returns:
            Their stats by path, None where another file has the name: the system may not tell the
            two apart.

        Raises:
            BadPath: no file can be there.
        """
        found: dict[str, os.stat_result | None] = {}
        with contextlib.ExitStack() as opened:
            here: list[str] | None = None
            folder = -1
            for path, data, mode in files:
                found[path] = None
                *folders, name = check_path(path)
                with _none_there():
                    if folders != here:
                        opened.close()
                        here = None
                        folder = links.open_folder(self.root, folders, create=True)
                        opened.callback(os.close, folder)
                        here = folders
                    found[path] = _added(folder, name, data, mode, synced=synced)
        return found

    @staticmethod
    def _is_still(folder: int, name: str, over: os.stat_result | None) -> bool:
        try:
            here = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return over is None
        return (
            over is not None
            and (here.st_ino, here.st_mtime_ns, here.st_size)
            == (over.st_ino, over.st_mtime_ns, over.st_size)
        )  # fmt: skip

    def sync(self, path: str) -> None:
        """Flush a file, or its removal, to disk.

        Raises:
            BadPath: no file can be there.
            OSError: a link is on the way, or the disk has trouble.
        """
        *folders, name = check_path(path)
        fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with contextlib.suppress(FileNotFoundError):
                for folder in folders:
                    inner = os.open(folder, _FOLDER_FLAGS, dir_fd=fd)
                    os.close(fd)
                    fd = inner
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                file = os.open(name, flags, dir_fd=fd)
                try:
                    disk.sync(file)
                finally:
                    os.close(file)
            disk.sync(fd)
        finally:
            os.close(fd)

    def remove(self, path: str, *, over: os.stat_result) -> bool:
        """Remove a file if it is unchanged, and any folders left empty."""
        try:
            with self._folder(path) as (folder, name):
                if not self._is_still(folder, name, over):
                    return False
                os.unlink(name, dir_fd=folder)
        except OSError as error:
            if error.errno in _NOT_THERE:
                return False
            raise
        parent = path.rpartition("/")[0]
        while parent:
            try:
                with self._folder(parent) as (folder, name):
                    os.rmdir(name, dir_fd=folder)
            except OSError:
                break
            parent = parent.rpartition("/")[0]
        return True

    def clear(self, path: str) -> None:
        """Remove empty folders from a file's place; what is not empty stays, with what is in it."""
        with contextlib.suppress(OSError), self._folder(path) as (folder, name):
            for _, folders, _, fd in os.fwalk(name, topdown=False, dir_fd=folder):
                for inner in folders:
                    os.rmdir(inner, dir_fd=fd)
            os.rmdir(name, dir_fd=folder)


@contextlib.contextmanager
def _none_there() -> Iterator[None]:
    """Pass over what cannot be written because something else has its name."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.EEXIST, *_NOT_THERE}:
            raise


def _added(folder: int, name: str, data: bytes, mode: int, *, synced: bool) -> os.stat_result:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, mode, dir_fd=folder)
    try:
        disk.write_all(fd, data)
        if synced:
            disk.sync(fd)
            disk.sync(folder)
        return os.fstat(fd)
    finally:
        os.close(fd)


def _move(temporary: Path, folder: int, name: str, *, replace: bool) -> None:
    """Move a finished file to its name; a new one never replaces what appeared meanwhile."""
    try:
        if replace:
            os.rename(temporary, name, dst_dir_fd=folder)
        else:
            os.link(temporary, name, dst_dir_fd=folder)
            temporary.unlink()
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK}:
            raise
        _move_across(temporary, folder, name, replace=replace)


def _move_across(temporary: Path, folder: int, name: str, *, replace: bool) -> None:
    """The git folder is on another file system, or one without hard links."""
    beside = f".{name}.new-{os.getpid()}"
    mode = stat.S_IMODE(temporary.stat().st_mode)
    if not replace:
        beside = name
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(beside, flags, mode, dir_fd=folder)
    try:
        disk.write_all(fd, temporary.read_bytes())
        disk.sync(fd)
        if replace:
            os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(beside, dir_fd=folder)
        raise
    finally:
        os.close(fd)
