"""The door for the operator: a Unix socket in the data folder, one action to a connection.

A request is a line of JSON, `{"do": "kick", "with": {"uin": 10001}}`. The answer is a line for each
object, `{"object": …}`, then `{"done": true}`; or `{"error": "words", "kind": "account"}`. Who may
open the socket is what the file system says: the owner of the data folder.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from kqq.errors import AccountError, ConfigError, KQQError, StoreError
from kqq.server.admin import Admin, perform
from kqq.server.logs import event

logger = logging.getLogger("kqq.admin")

_LINE = 8 * 1024 * 1024
"""Bytes of a request; a part of an imported file is the longest."""
_REQUEST_TIME = 30.0
_SHORT_ENOUGH = 100
"""Bytes of a path that a socket can have, a little less than what systems allow."""
_KINDS: dict[str, type[KQQError]] = {
    "account": AccountError,
    "config": ConfigError,
    "store": StoreError,
}


class NoServer(ConfigError):
    """Nobody listens at the socket."""


class AdminDoor:
    """Does what is asked at a socket."""

    def __init__(self, admin: Admin, path: Path) -> None:
        self._admin = admin
        self._path = path
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen. Whoever calls owns the data folder, so a socket that is there is an old one.

        Raises ConfigError.
        """
        before = os.umask(0o177)
        try:
            with _short(self._path) as path, contextlib.ExitStack() as stack:
                sock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                with contextlib.suppress(FileNotFoundError):
                    self._path.unlink()
                sock.bind(path)
                stack.pop_all()
        except OSError as error:
            raise ConfigError(
                f"cannot make the socket {self._path}: {error.strerror or error}; name another "
                "with admin_socket"
            ) from error
        finally:
            os.umask(before)
        self._server = await asyncio.start_unix_server(self._answer, sock=sock, limit=_LINE)

    async def close(self) -> None:
        """Listen no more, and take the socket away."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_TIME):
                line = await reader.readline()
            async for answer in self._perform(line):
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (TimeoutError, ConnectionError, ValueError) as error:
            event(logger, logging.WARNING, "admin request lost", why=error)
        finally:
            writer.close()

    async def _perform(self, line: bytes) -> AsyncIterator[dict[str, Any]]:
        try:
            request = json.loads(line)
            name, arguments = request["do"], request["with"]
            result = await perform(self._admin, name, arguments)
        except KQQError as error:
            kinds = [key for key, kind in _KINDS.items() if isinstance(error, kind)]
            yield {"error": str(error), "kind": kinds[0] if kinds else "config"}
            return
        except (ValueError, KeyError, TypeError) as error:
            yield {"error": f"cannot read the request: {error}", "kind": "config"}
            return
        except Exception as error:  # noqa: BLE001  # the operator must hear of it
            event(logger, logging.ERROR, "admin action failed", error=error)
            yield {"error": f"the server failed: {error!r}; its log has more", "kind": "store"}
            return
        event(logger, logging.INFO, "operator", action=name, uin=arguments.get("uin"))
        for one in result if isinstance(result, list) else [result]:
            yield {"object": one}
        yield {"done": True, "list": isinstance(result, list)}


async def ask(path: Path, name: str, arguments: dict[str, Any]) -> Any:
    """Have the server at the socket `path` do something; return what the action returns.

    Raises NoServer, or what the action raised.
    """
    try:
        with _short(path) as short:
            reader, writer = await asyncio.open_unix_connection(short, limit=_LINE)
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise NoServer(f"no server listens at {path}") from error
    except OSError as error:
        raise ConfigError(f"cannot ask the server at {path}: {error.strerror or error}") from error
    try:
        writer.write(json.dumps({"do": name, "with": arguments}).encode() + b"\n")
        await writer.drain()
        objects: list[Any] = []
        while line := await reader.readline():
            answer = json.loads(line)
            if "error" in answer:
                raise _KINDS.get(answer["kind"], ConfigError)(answer["error"])
            if "done" in answer:
                return objects if answer["list"] else objects[0]
            objects.append(answer["object"])
    except ConnectionError as error:
        raise StoreError(f"the server at {path} went away: {error}") from error
    finally:
        writer.close()
    raise StoreError(f"the server at {path} went away before it answered")


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
