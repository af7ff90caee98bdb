"""A copy of the database that is whole though a server writes, and the way back.

The copy is SQLite's online backup, some pages at a time, all within one read transaction: it is the
database of one moment, no write of the server has it begin anew, and in WAL mode it holds nobody
up. `VACUUM INTO` would give the same, but could not say how far it is.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kqq.errors import ConfigError, StoreError
from kqq.server.claim import claim
from kqq.server.database import database_path, migrations, prepare_folder

Progress = Callable[[int, int], None]
"""Called with the pages that are copied and how many there are, several times."""

_PAGES = 64  # to a step: 256 KiB
_BUSY_MS = 5_000
_MAGIC = b"SQLite format 3\0"
_BESIDE = ("-wal", "-shm")
"""Ends of the names of what SQLite keeps beside a database that is open."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a database: its form, accounts, messages that wait, and its size in bytes."""

    form: int
    accounts: int
    messages: int
    size: int


def back_up(
    data: Path, file: Path, *, force: bool = False, progress: Progress | None = None
) -> Contents:
    """Copy the database of a data folder to `file`, which its owner alone can read.

    `file` is there once the copy is whole, checked and on disk, and not before; an old one is
    replaced only with `force`. Raises ConfigError, or StoreError if there is something wrong with
    the database or the disk.
    """
    source = database_path(data)
    if not source.is_file():
        raise ConfigError(f"there is no database in {data}; is that the right --data?")
    if any(_is_same(file, source, end) for end in ("", *_BESIDE)):
        raise ConfigError(f"{file} is the database itself; name another file")
    if file.is_dir():
        raise ConfigError(f"{file} is a folder; name a file in it")
    _refuse_overwriting(file, force=force)
    with _copied(source, file, progress) as (part, contents):
        _refuse_overwriting(file, force=force)  # it took a while
        part.replace(file)
        _sync(file.parent)
    return contents


def restore(
    file: Path, data: Path, date: datetime, *, progress: Progress | None = None
) -> tuple[Contents, Path | None]:
    """Make `file` the database of a data folder; return what is in it, and where the old one is.

    The old database is kept beside the new one under a name with the `date`. A file of an older
    form is brought to the newest when a server starts. Raises ConfigError, also if a server uses
    the folder, or StoreError if `file` cannot be used; the folder is then as it was.
    """
    if not file.is_file():
        raise ConfigError(f"there is no file {file}")
    target = prepare_folder(data)
    if _is_same(file, target):
        raise ConfigError(f"{file} is the database itself; name a backup")
    with _claimed(data), _copied(file, target, progress, foreign=True) as (part, contents):
        try:
            _give(part, data)
            kept = _keep(target, date)
            part.replace(target)
            _sync(data)
        except OSError as error:
            raise StoreError(f"cannot write in {data}: {error.strerror}") from error
    return contents, kept


# --- what a file is ------------------------------------------------------------------------------


def open_database(path: Path, *, foreign: bool = False) -> sqlite3.Connection:
    """Open a database as it is: nothing is made, nothing is migrated. Raises sqlite3.Error.

    A `foreign` one is only read. If nobody has it open it may be where nothing can be written.
    """
    mode = "rw"
    if foreign:
        is_open = any(_beside(path, end).exists() for end in ("-wal", "-journal"))
        mode = "ro" if is_open else "ro&immutable=1"
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    return connection


def form_of(connection: sqlite3.Connection) -> int:
    """Return the number of the last migration that a database has had; 0 is none."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def newest_form() -> int:
    """Return the number of the last migration that this kqq knows."""
    return migrations()[-1][0]


def strangeness(connection: sqlite3.Connection) -> str:
    """Return why a database is none that this kqq can use; "" if it is one, of whatever form."""
    form, newest = form_of(connection), newest_form()
    if form > newest:
        return f"its form {form} is newer than this kqq knows ({newest}); use a newer kqq"
    found = _columns(connection)
    wanted = _columns_of_form(form)
    missing = [name for name, columns in wanted.items() if not columns <= found.get(name, set())]
    if not wanted or missing:
        return "it is no database of kqq" + (f": {', '.join(missing)} is not in it" * bool(missing))
    return ""


def damage(connection: sqlite3.Connection) -> str:
    """Return the first thing that is broken in a database, "" if it is whole."""
    try:
        found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(1)")]
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == ["ok"] else found[0]


def _columns(connection: sqlite3.Connection) -> dict[str, set[str]]:
    rows = connection.execute(
        "SELECT entry.name, field.name FROM sqlite_master AS entry,"
        " pragma_table_info(entry.name) AS field"
        " WHERE entry.type = 'table' AND entry.name NOT LIKE 'sqlite_%'"
    )
    found: dict[str, set[str]] = {}
    for table, column in rows:
        found.setdefault(table, set()).add(column)
    return found


def _columns_of_form(form: int) -> dict[str, set[str]]:
    """Return the columns of each table that a database of this form has."""
    with closing(sqlite3.connect(":memory:")) as model:
        for number, sql in migrations():
            if number <= form:
                model.executescript(sql)
        return _columns(model)


# --- copies --------------------------------------------------------------------------------------


@contextmanager
def _copied(
    source: Path, target: Path, progress: Progress | None, *, foreign: bool = False
) -> Iterator[tuple[Path, Contents]]:
    """Give a copy of a database, checked and on disk, in a new file beside `target`.

    It is gone after the context unless it was renamed. Raises StoreError.
    """
    try:
        handle, name = tempfile.mkstemp(".part", f".{target.name}.", target.parent)  # for its owner
    except OSError as error:
        raise StoreError(f"cannot write in {target.parent}: {error.strerror}") from error
    os.close(handle)
    part = Path(name)
    try:
        try:
            _copy(source, part, progress or _tell_nobody, foreign=foreign)
            contents = _examine(part, source)
            _sync(part)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"cannot copy {source} to {target}: {error}") from error
        yield part, contents
    finally:
        for end in ("", "-journal", *_BESIDE):
            _beside(part, end).unlink(missing_ok=True)


def _copy(source: Path, part: Path, progress: Progress, *, foreign: bool) -> None:
    with (
        closing(open_database(source, foreign=foreign)) as old,
        closing(sqlite3.connect(part, isolation_level=None)) as new,
    ):
        new.execute("PRAGMA synchronous=OFF")  # it is brought to disk as a whole
        old.execute("BEGIN")
        old.execute("SELECT count(*) FROM sqlite_master").fetchone()  # this is the moment
        old.backup(new, pages=_PAGES, progress=lambda _, left, total: progress(total - left, total))
        # One file, which can be read where nothing can be written.
        new.execute("PRAGMA journal_mode=DELETE")


def _tell_nobody(_done: int, _pages: int) -> None:
    """Leave out how far it is."""


def _examine(part: Path, source: Path) -> Contents:
    """Return what is in a copy of `source`. Raises StoreError if it cannot be used."""
    with closing(open_database(part)) as copy:
        why = strangeness(copy) or damage(copy)
        if why:
            raise StoreError(f"{source} cannot be used: {why}")
        accounts, messages = (
            int(copy.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608
            for table in ("account", "message")
        )
        return Contents(form_of(copy), accounts, messages, part.stat().st_size)


def _refuse_overwriting(file: Path, *, force: bool) -> None:
    if file.exists() and not force:
        raise ConfigError(f"there is a file {file} already; choose another name, or use --force")


@contextmanager
def _claimed(data: Path) -> Iterator[None]:
    """Keep servers from the data folder, as they keep each other."""
    with claim(data, f"a server uses {data}; stop it, then restore") as lock:
        try:
            _give(Path(lock.name), data)
        except OSError as error:
            raise StoreError(f"cannot give {lock.name} to the owner of {data}: {error}") from error
        yield


def _keep(target: Path, date: datetime) -> Path | None:
    """Give the database that was there a name of its own; it stays in its place, too.

    So there is one at each moment: a server that found none would begin with an empty one.
    """
    name = f"{target.name}.{date:%Y%m%d-%H%M%S}"
    names = [name, *(f"{name}-{number}" for number in range(2, 100))]
    kept = next(path for path in map(target.with_name, names) if not path.exists())
    if target.exists() and _is_sqlite(target):
        # What a server that was killed left beside it goes into it.
        with suppress(sqlite3.Error), closing(open_database(target)) as old:
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    # Anything still beside it would be taken for that of the new one.
    if _beside(target, "-wal").exists():
        _beside(target, "-wal").rename(_beside(kept, "-wal"))
    _beside(target, "-shm").unlink(missing_ok=True)
    if not target.exists():
        return None
    try:
        kept.hardlink_to(target)
    except OSError:  # not every file system can
        target.rename(kept)
    return kept


def _is_sqlite(path: Path) -> bool:
    """Return whether SQLite would know it; if not, opening it could empty what is beside it."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _give(path: Path, data: Path) -> None:
    """Give a file to the owner of the data folder: root may restore for a server that is not."""
    owner = data.stat()
    if path.stat().st_uid != owner.st_uid:
        os.chown(path, owner.st_uid, owner.st_gid)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _is_same(file: Path, path: Path, end: str = "") -> bool:
    other = _beside(path, end)
    return file.exists() and other.exists() and file.samefile(other)
