"""The door for the operator: a Unix socket in the data folder, one action to a connection.

A request is a line of JSON, `{"do": "kick", "with": {"uin": 10001}}`; with `"on": FOLDER` it is for
the server with this data folder only. The answer is a line for each object, `{"object": …}`, then
`{"done": true}`; or `{"error": "words", "kind": "account"}`. Who may open the socket is what the
file system says: whoever runs the server, and nobody else.
"""

import asyncio
import contextlib
import errno
import json
import logging
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kqq.errors import AccountError, ConfigError, KQQError, StoreError, TimedOut
from kqq.server.admin import Admin, NoServer, Result, perform
from kqq.server.logs import event
from kqq.server.transports import stream_of

__all__ = ["LONGEST", "TIME", "VISITORS", "AdminDoor", "NoServer", "ask"]

logger = logging.getLogger("kqq.admin")

LONGEST = 8 * 1024 * 1024
"""Bytes of a request; a part of an imported file is the longest."""
TIME = 30.0
"""Seconds in which a request must have come, and then in which its answer must have been read."""
VISITORS = 32
"""Connections at once; one more is told so."""
_MOST_TOLD = 8 * VISITORS  # one more is closed without a word
_LONGEST_ANSWER = 64 * 1024 * 1024  # of one line, for a client that trusts its server
_PATIENCE = 120.0  # seconds that a client waits for its answer
_SHORT_ENOUGH = 100
"""Bytes of a path that a socket can have, a little less than what systems allow."""
_KINDS: dict[str, type[KQQError]] = {
    "account": AccountError,
    "config": ConfigError,
    "store": StoreError,
}

Lines = list[dict[str, Any]]


class AdminDoor:
    """Does what is asked at a socket."""

    def __init__(self, admin: Admin, path: Path) -> None:
        self.admin = admin
        self.tasks: set[asyncio.Task[None]] = set()
        self._path = path
        self._server: asyncio.Server | None = None
        self._made: tuple[int, int] | None = None  # which file our socket is
        self._visitors: set[_Visitor] = set()

    async def open(self) -> None:
        """Listen; a socket that nobody listens at any more is replaced.

        Raises ConfigError if that cannot be, or another server listens there.
        """
        try:
            with _short(self._path) as short:
                self._make_room(short)
                sock = _bind(short)
                self._made = _identity(short)
        except OSError as error:
            raise ConfigError(
                f"cannot make the socket {self._path}: {error.strerror or error}; name another "
                "with admin_socket"
            ) from error
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Visitor(self), sock=sock)

    async def close(self) -> None:
        """Listen no more and take the socket away; what is being done is done and answered."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        self._remove()
        for visitor in list(self._visitors):
            visitor.stop()
        await asyncio.gather(*self.tasks)
        for visitor in list(self._visitors):
            visitor.abort()
        while self._visitors:  # noqa: ASYNC110  # the next turn of the loop tells that they went
            await asyncio.sleep(0)

    def came(self, visitor: "_Visitor") -> None:
        """Take in one more, if there is room."""
        self._visitors.add(visitor)
        if self._server is None or len(self._visitors) > _MOST_TOLD:
            visitor.abort()
        elif len(self._visitors) > VISITORS:
            visitor.refuse(f"the server has {VISITORS} commands to do; try again")

    def went(self, visitor: "_Visitor") -> None:
        """Forget somebody."""
        self._visitors.discard(visitor)

    async def answer(self, line: bytes) -> Lines:
        """Do what a request says; return what to answer. Whatever fails is in it, in words."""
        name = ""
        try:
            name, arguments = _read(line, self.admin.config.data)
            result = await perform(self.admin, name, arguments)
        except KQQError as error:
            return [_refusal(error)]
        except Exception as error:  # noqa: BLE001  # the operator must hear of it
            event(logger, logging.ERROR, "failed", error=error, action=name)
            why = f"the server failed: {type(error).__name__}; its log has more"
            return [_refusal(StoreError(why))]
        return _answer(result)

    def _remove(self) -> None:
        """Take the socket away, if it is still ours."""
        with contextlib.suppress(FileNotFoundError), _short(self._path) as short:
            if _identity(short) == self._made:
                Path(short).unlink()

    def _make_room(self, path: str) -> None:
        """Remove an old socket. Raises OSError if what is there is none, or is in use."""
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise FileExistsError(errno.EEXIST, "there is something else that is no socket")
        # Whoever serves a data folder has claimed it, so a socket in it is nobody's any more.
        if self._path.parent != self.admin.config.data and _is_listening(path):
            raise OSError(errno.EADDRINUSE, "another server listens there")
        Path(path).unlink()


class _Visitor(asyncio.Protocol):
    """One connection: one request, one answer; what comes after the request is passed over."""

    def __init__(self, door: AdminDoor) -> None:
        self._door = door
        self._request = bytearray()
        self._is_asked = False
        self._is_answered = False
        self._has_ended = False  # the client says no more
        self._ignored = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = stream_of(transport)
        self._transport = transport
        self._timer = self._door.admin.clock.later(
            TIME, lambda: self.refuse(f"the request did not come within {TIME:g} s")
        )
        self._door.came(self)

    def data_received(self, data: bytes) -> None:
        if self._is_asked:
            self._ignored += len(data)
            if self._ignored > LONGEST:
                self.abort()
            return
        end = data.find(b"\n")
        self._request += data if end < 0 else data[:end]
        if len(self._request) > LONGEST:
            self.refuse(f"the request is longer than {LONGEST} bytes")
        elif end >= 0:
            self._is_asked = True
            self._timer.cancel()
            task = asyncio.get_running_loop().create_task(self._answer())
            self._door.tasks.add(task)
            task.add_done_callback(self._door.tasks.discard)

    def eof_received(self) -> bool:
        self._has_ended = True
        if not self._is_asked and self._request:
            self.refuse("the request ended before its line did")
        return self._is_asked and not self._is_answered  # it still wants the answer

    def connection_lost(self, _: Exception | None) -> None:
        self._timer.cancel()
        self._door.went(self)

    def refuse(self, why: str) -> None:
        """Say why nothing is done."""
        self._is_asked = True
        self._request.clear()
        self._timer.cancel()
        self._say([_refusal(ConfigError(why))])

    def stop(self) -> None:
        """Wait no longer for a request."""
        if not self._is_asked:
            self.refuse("the server stops")

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    async def _answer(self) -> None:
        request = bytes(self._request)
        self._request.clear()
        self._say(await self._door.answer(request))

    def _say(self, lines: Lines) -> None:
        """Write the answer; the client closes when it has read it."""
        self._is_answered = True
        if self._transport.is_closing():
            return  # it was done all the same
        self._transport.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        if self._has_ended:
            self._transport.close()
        else:
            self._transport.write_eof()
        self._timer = self._door.admin.clock.later(TIME, self.abort)


def _read(line: bytes, data: Path) -> tuple[str, dict[str, Any]]:
    """Return the action that a request wants, and its arguments. Raises ConfigError."""
    try:
        request = json.loads(line)
        name, arguments, folder = request["do"], request["with"], request.get("on")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ConfigError(f"cannot read the request: {error}") from error
    if not isinstance(name, str) or not isinstance(arguments, dict):
        raise ConfigError("cannot read the request: `do` must be a name, `with` an object")
    if folder is not None and not _is_same(str(folder), data):
        raise ConfigError(
            f"the server that listens there uses {data.absolute()}, not {folder}; leave out "
            "--data, or say with admin_socket where the other one listens"
        )
    return name, arguments


def _is_same(folder: str, other: Path) -> bool:
    try:
        return Path(folder).samefile(other)
    except (OSError, ValueError):
        return False


def _answer(result: Result) -> Lines:
    is_list = isinstance(result, list)
    objects = result if isinstance(result, list) else [result]
    return [*({"object": one} for one in objects), {"done": True, "list": is_list}]


def _refusal(error: KQQError) -> dict[str, Any]:
    kind = next((key for key, kind in _KINDS.items() if isinstance(error, kind)), "config")
    return {"error": str(error), "kind": kind}


# --- the other end -------------------------------------------------------------------------------


async def ask(path: Path, name: str, arguments: dict[str, Any], *, on: Path | None = None) -> Any:
    """Have the server at the socket `path` do something; return what the action returns.

    With `on`, an absolute path, it does so only if that is its data folder. Raises NoServer,
    TimedOut, or what the action raised.
    """
    request = {"do": name, "with": arguments, "on": None if on is None else str(on)}
    try:
        with _short(path) as short:
            reader, writer = await asyncio.open_unix_connection(short, limit=_LONGEST_ANSWER)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoServer(f"no server listens at {path}") from error
    except OSError as error:
        raise ConfigError(f"cannot ask the server at {path}: {error.strerror or error}") from error
    try:
        async with asyncio.timeout(_PATIENCE):
            writer.write(json.dumps(request).encode() + b"\n")
            return await _hear(reader)
    except TimeoutError as error:
        raise TimedOut(
            f"the server at {path} has not answered within {_PATIENCE:g} s; whether it did what "
            "was asked is not known"
        ) from error
    except (OSError, EOFError) as error:
        raise StoreError(f"the server at {path} went away before it answered") from error
    except (ValueError, TypeError, LookupError) as error:
        raise ConfigError(f"what listens at {path} is no server of kqq: {error}") from error
    finally:
        writer.close()


async def _hear(reader: asyncio.StreamReader) -> Any:
    objects: list[Any] = []
    while line := await reader.readline():
        answer = json.loads(line)
        if "error" in answer:
            raise _KINDS.get(answer["kind"], ConfigError)(answer["error"])
        if "done" in answer:
            return objects if answer["list"] else objects[0]
        objects.append(answer["object"])
    raise EOFError


# --- files ---------------------------------------------------------------------------------------


def _bind(path: str) -> socket.socket:
    """Return a socket that is bound to `path`, for its owner only from the first moment on."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(path)
    except BaseException:
        sock.close()
        raise
    finally:
        os.umask(before)
    return sock


def _identity(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def _is_listening(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.0)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return False
        except BlockingIOError:  # somebody does, and has much to do
            return True
    return True


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """Give a name for `path` that is short enough for a socket, while the context lasts."""
    if len(os.fsencode(path)) <= _SHORT_ENOUGH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
