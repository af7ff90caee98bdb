"""What is wrong with a server, as far as its machine can tell: files, limits, clock, doors.

Each check gives findings: what was looked at, how grave it is, in words, and what to do about it.
Nothing is changed, and nothing is migrated.
"""

import ipaddress
import os
import resource
import socket
import sqlite3
import struct
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from kqq.errors import ConfigError
from kqq.server.backup import damage, form_of, newest_form, open_database, strangeness
from kqq.server.certificates import validity
from kqq.server.config import UNSIGNED_MAY_NOT, Config, Listen
from kqq.server.tls import context_of

RELEASED = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""A clock that is before this version cannot be right."""
FILES_KEPT = 64
"""File descriptors that a server keeps for itself (`Server.start`)."""
_WRITTEN = 65536  # bytes, to try whether the disk takes them
_MEBIBYTE, _GIBIBYTE = 1024**2, 1024**3
_LEAST_BYTES, _FEW_BYTES = 16 * _MEBIBYTE, 256 * _MEBIBYTE
_LEAST_NODES, _FEW_NODES = 16, 1000  # files that can still be made
_FEW_DAYS = 21.0  # until a certificate expires
_DAY = 86400.0
_MINUTE = 60.0
_AS_OWNER = "Run this as the user who runs the server."


class Level(Enum):
    """How grave a finding is: people may be shut out by a problem, not by a warning."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found; `todo` says what to do if it is not ok."""

    level: Level
    check: str
    words: str
    todo: str = ""


def ok(check: str, words: str) -> Finding:
    """Return that all is well."""
    return Finding(Level.OK, check, words)


def warning(check: str, words: str, todo: str) -> Finding:
    """Return what may be meant so, or may go wrong later."""
    return Finding(Level.WARNING, check, words, todo)


def problem(check: str, words: str, todo: str) -> Finding:
    """Return what keeps the server from its work."""
    return Finding(Level.PROBLEM, check, words, todo)


# --- the data folder -----------------------------------------------------------------------------


def folder(data: Path, user: int) -> Iterator[Finding]:
    """Look whether the data folder is there, can be written, and is nobody else's business.

    `user` is the number of whoever looks.
    """
    name = "data folder"
    try:
        status = data.stat()
        with tempfile.TemporaryFile(dir=data) as file:
            file.write(bytes(_WRITTEN))
            file.flush()
            os.fsync(file.fileno())
    except FileNotFoundError:
        todo = "Name the right one with --data; `kqq serve` makes a new one."
        yield problem(name, f"there is no folder {data}", todo)
        return
    except OSError as error:
        todo = f"{_AS_OWNER} The folder must be that user's, on a disk that can be written."
        yield problem(name, f"cannot write in {data}: {error.strerror}", todo)
        return
    is_well = True
    if status.st_mode & 0o077:
        is_well = False
        yield warning(name, f"others on this machine can look into {data}", f"chmod 700 {data}")
    if status.st_uid != user:
        is_well = False
        yield warning(name, f"{data} belongs to another user ({status.st_uid})", _AS_OWNER)
    if is_well:
        yield ok(name, f"{data} can be written, and only by you")


def disk(data: Path) -> Finding:
    """Look whether there is room on the disk of the data folder, in bytes and in files."""
    name, room = "disk", os.statvfs(data)
    space = room.f_bavail * room.f_frsize
    size = sum(path.stat().st_size for path in data.glob("kqq.sqlite*"))
    left = f"{_size(space)} are left"
    nodes = room.f_favail if room.f_files else None  # some file systems have no such limit
    if nodes is not None:
        left += f", for {nodes:,} files"
    todo = "Make room: the server refuses messages that it cannot write."
    if space < _LEAST_BYTES or (nodes is not None and nodes < _LEAST_NODES):
        return problem(name, left, todo)
    if space < max(_FEW_BYTES, 2 * size) or (nodes is not None and nodes < _FEW_NODES):
        return warning(name, f"{left}; the database has {_size(size)}", todo)
    return ok(name, left)


def _size(size: int) -> str:
    if size >= 10 * _GIBIBYTE:
        return f"{size / _GIBIBYTE:,.0f} GiB"
    return f"{size / _MEBIBYTE:,.0f} MiB" if size >= _MEBIBYTE else f"{size / 1024:,.0f} KiB"


# --- the database --------------------------------------------------------------------------------


def database(path: Path) -> Iterator[Finding]:
    """Look whether the database can be opened, is whole, of the newest form, and can be written."""
    name = "database"
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            todo = "`kqq serve` and `kqq account add` make one. Is it the right --data?"
            yield warning(name, f"there is no {path.name} in {path.parent} yet", todo)
        else:
            yield problem(name, f"cannot look at {path}: {error.strerror}", _AS_OWNER)
        return
    if mode & 0o077:
        yield warning(name, f"others on this machine can read {path.name}", f"chmod 600 {path}")
    try:
        with closing(open_database(path)) as opened:
            yield from _opened(opened, path)
    except sqlite3.Error as error:
        todo = f"{_AS_OWNER} If it is damaged, `kqq restore` brings a backup back."
        yield problem(name, f"cannot open {path}: {error}", todo)


def newest_date(path: Path) -> float | None:
    """Return the newest date of an account or message, None if there is none to be had."""
    with suppress(sqlite3.Error), closing(open_database(path)) as opened:
        dates = opened.execute(
            "SELECT max(created) FROM account"
            " UNION ALL SELECT sent FROM (SELECT sent FROM message ORDER BY id DESC LIMIT 1)"
        )
        return max((float(date) for (date,) in dates if date is not None), default=None)
    return None


def _opened(opened: sqlite3.Connection, path: Path) -> Iterator[Finding]:
    name = "database"
    why = strangeness(opened)
    if why:
        yield problem(name, f"{path}: {why}", "Is it the right --data, and the right kqq?")
        return
    why = damage(opened)
    if why:
        todo = "Stop the server, then `kqq restore` the newest backup."
        yield problem(name, f"it is damaged: {why}", todo)
        return
    form, newest = form_of(opened), newest_form()
    try:
        # Nothing of this reaches the disk, save that it is seen whether it could.
        opened.execute("BEGIN IMMEDIATE")
        opened.execute("CREATE TABLE kqq_doctor (tried)")
        opened.execute("ROLLBACK")
    except sqlite3.Error as error:
        todo = f"{_AS_OWNER} No other program may hold the database for long."
        yield problem(name, f"it cannot be written: {error}", todo)
        return
    if form < newest:
        words = f"it has form {form}; the next `kqq serve` brings it to form {newest}"
        yield warning(name, words, "Make a backup before: `kqq backup FILE`.")
    else:
        yield ok(name, f"it is whole, has the newest form ({form}) and can be written")


# --- limits and clock ----------------------------------------------------------------------------


def open_files(limit: tuple[int, int], wanted: int, whose: str) -> Finding:
    """Look whether so many connections can be open; `limit` is soft and hard, -1 is none."""
    name = "open files"
    most = max(limit)
    if resource.RLIM_INFINITY in limit or most >= wanted + FILES_KEPT:
        return ok(name, f"{whose} may hold {wanted:,} connections (`connections_limit`)")
    todo = f"Raise it to {wanted + FILES_KEPT:,} (`ulimit -n`, LimitNOFILE= of systemd), or set "
    todo += "connections_limit to what is needed."
    if most <= FILES_KEPT:
        return problem(name, f"{whose} may have {most} files open; no connection fits", todo)
    room = f"{most - FILES_KEPT:,} connections, not the {wanted:,} of `connections_limit`"
    return warning(name, f"{whose} may have {most:,} files open, so {room}", todo)


def limit_of(socket_path: Path) -> tuple[int, int] | None:
    """Return the limits of open files, soft and hard, of the server behind a Unix socket.

    None if the system does not tell.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.connect(str(socket_path))
            size = struct.calcsize("3i")
            told = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        limits = Path(f"/proc/{struct.unpack('3i', told)[0]}/limits").read_text(encoding="ascii")
    except OSError:
        return None
    for line in limits.splitlines():
        if line.startswith("Max open files"):
            soft, hard = (-1 if word == "unlimited" else int(word) for word in line.split()[3:5])
            return soft, hard
    return None


def clock(now: float, newest: float | None) -> Finding:
    """Look whether the date can be right; `newest` is the newest date in the database."""
    name, todo = "clock", "Set it right, and keep it so (`timedatectl set-ntp true`)."
    today = _moment(now)
    if now < RELEASED:
        return problem(name, f"it says {today}, which is before this kqq was made", todo)
    if newest is not None and newest > now + _MINUTE:
        words = f"it says {today}, but something in the database is of {_moment(newest)}"
        return warning(name, f"{words}; it is wrong, or was", todo)
    return ok(name, f"it says {today}")


def _moment(date: float) -> str:
    return datetime.fromtimestamp(date).astimezone().strftime("%Y-%m-%d %H:%M")


# --- doors ---------------------------------------------------------------------------------------


def doors(listen: Sequence[Listen], redirectors: Sequence[Listen]) -> Iterator[Finding]:
    """Look whether phones could come in by these doors at all."""
    name = "doors"
    if not listen:
        yield problem(name, "there is no door for phones", 'Set listen = ["kqq://0.0.0.0:14000"].')
    for door in (*listen, *redirectors):
        if _is_loopback(door.host):
            other = Listen("0.0.0.0", door.port, door.scheme)  # noqa: S104
            todo = f"Make it {other} if phones shall come in by it."
            yield warning(name, f"{door} is for this machine only; no phone can reach it", todo)
        if door.port in UNSIGNED_MAY_NOT:
            todo = "Take 14000 or 8000: 80, 443 and 8080 are for signed programs."
            yield warning(name, f"many old phones may not open port {door.port} of {door}", todo)
    if listen and all(door.is_tls for door in listen):
        todo = "Add a door kqq:// for old phones."
        yield warning(name, "all doors are for TLS; no client of the time knows that", todo)


def _is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a host."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def certificate(config: Config, now: float) -> Iterator[Finding]:
    """Look whether what doors with TLS need can be used, and for how long."""
    name = "certificate"
    if config.certificate is None or config.key is None:
        return
    try:
        context_of(config)
        begins, ends = validity(config.certificate.read_text(encoding="latin-1"))
    except (ConfigError, OSError, ValueError) as error:
        yield problem(name, str(error), "The two files must belong together.")
        return
    todo = "Renew it, then have the server read it again (SIGHUP)."
    if now < begins:
        yield problem(name, f"it is valid only from {_moment(begins)} on", "Is the clock right?")
    elif now >= ends:
        yield problem(name, f"it has expired: {_moment(ends)}", todo)
    elif now >= ends - _FEW_DAYS * _DAY:
        yield warning(name, f"it expires soon: {_moment(ends)}", todo)
    else:
        yield ok(name, f"it is valid until {_moment(ends)}")
