"""The pages, and the files they are made of: read once, packed once, told apart by their content.

Nothing is built: what lies in `static` is what browsers get.
"""

import gzip
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable

from aiohttp import web

from kqq.protocol.export import as_objects

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
}
PAGES = {"/": "index.html", "/account": "account.html", "/operator": "operator.html"}
_AT_ROOT = {
    "/sw.js": "sw.js",
    "/manifest.webmanifest": "manifest.webmanifest",
    "/favicon.ico": "icons/kqq-192.png",  # whatever its name, browsers look what it is
}
_PACKED = {".html", ".css", ".js", ".json", ".svg", ".webmanifest"}


@dataclass(frozen=True, slots=True)
class File:
    """One file: its bytes, the same packed where that helps, its type, and a tag of its content."""

    body: bytes
    packed: bytes | None
    kind: str
    tag: str


@cache
def files() -> dict[str, File]:
    """Return all files by their path below `static`."""
    found = {path: _file(path, body) for path, body in _walk(_static())}
    body = json.dumps(as_objects(), ensure_ascii=False, separators=(",", ":")).encode()
    found["catalogue.json"] = _file("catalogue.json", body)
    return found


def routes() -> list[web.RouteDef]:
    """Return the routes of pages and files."""
    named = [web.get(path, _page(name)) for path, name in {**PAGES, **_AT_ROOT}.items()]
    return [*named, web.get("/static/{path:.+}", _serve)]


def _page(name: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(request: web.Request) -> web.Response:
        return _answer(request, name)

    return serve


async def _serve(request: web.Request) -> web.Response:
    return _answer(request, request.match_info["path"])


def _answer(request: web.Request, path: str) -> web.Response:
    """Return a file; one that the browser has already is only said to be the same.

    Each is asked for anew (`no-cache`), so that after an upgrade no page mixes old and new.
    """
    file = files().get(path)
    if file is None:
        raise web.HTTPNotFound(reason=f"there is no file {path[:200]!r}".replace("\n", " "))
    headers = {"Cache-Control": "no-cache", "ETag": f'"{file.tag}"', "Vary": "Accept-Encoding"}
    if f'"{file.tag}"' in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = file.kind
    if file.packed is not None and "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=file.packed, headers=headers | {"Content-Encoding": "gzip"})
    return web.Response(body=file.body, headers=headers)


def _static() -> Traversable:
    return resources.files("kqq.server.web").joinpath("static")


def _walk(folder: Traversable, above: str = "") -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        path = f"{above}{entry.name}"
        if entry.is_dir():
            found += _walk(entry, f"{path}/")
        elif _suffix(path) in _TYPES:
            found.append((path, entry.read_bytes()))
    return found


def _file(path: str, body: bytes) -> File:
    packed = gzip.compress(body, 9, mtime=0) if _suffix(path) in _PACKED else None
    if packed is not None and len(packed) >= len(body):
        packed = None
    tag = hashlib.blake2b(body, digest_size=12).hexdigest()
    return File(body, packed, _TYPES[_suffix(path)], tag)


def _suffix(path: str) -> str:
    return path[path.rfind(".") :]
