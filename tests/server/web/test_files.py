"""Pages and files: packed, tagged, and nothing else is served."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from browsing import WEB, Browser
from kqq.protocol.export import as_objects
from kqq.server.web.files import PAGES, files
from stage import Stage

FIRST_LOAD = 150_000
"""Bytes that a browser may be sent before the page can be used."""


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    """A browser at a server's door, whose files were not read before."""
    files.cache_clear()
    async with (
        Stage(tmp_path / "data", listen=(WEB,)) as stage,
        Browser(stage.server.web[0].url) as browser,
    ):
        yield browser


@pytest.mark.parametrize("path", PAGES)
async def test_pages(browser: Browser, path: str) -> None:
    """Each is HTML."""
    page = await browser.get(path)
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"<!doctype html>" in page.body.lower()


async def test_a_file_that_is_there_already(browser: Browser) -> None:
    """Its tag says so, and it is not sent again; another tag is."""
    path = "/static/js/common/dom.js"
    first = await browser.get(path)
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "no-cache"
    again = await browser.get(path, headers={"If-None-Match": tag})
    assert (again.status, again.body) == (304, b"")
    assert again.headers["ETag"] == tag
    other = await browser.get(path, headers={"If-None-Match": '"another"'})
    assert other.body == first.body


async def test_packed_for_who_can_read_it(browser: Browser) -> None:
    """And as it is for who cannot."""
    path = "/static/js/common/dom.js"
    plain = await browser.get(path, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    packed = files()["js/common/dom.js"].packed
    assert packed is not None
    assert gzip.decompress(packed) == plain.body
    assert len(packed) < len(plain.body)
    sent = await browser.get(path, headers={"Accept-Encoding": "gzip"})
    assert sent.headers["Content-Encoding"] == "gzip"
    assert sent.body == plain.body  # the client has unpacked it


@pytest.mark.parametrize(
    "path",
    ["nowhere.js", "../door.py", "..%2fdoor.py", "%2e%2e/door.py", "js", "js/common/", "a%0ab.js"],
)
async def test_nothing_else_is_served(browser: Browser, path: str) -> None:
    """No folder, nothing above, no path that was made up."""
    answer = await browser.get(f"/static/{path}")
    assert answer.status in {400, 404}


async def test_the_catalogue(browser: Browser) -> None:
    """The page has the same declarations as the server."""
    answer = await browser.get("/static/catalogue.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.body) == json.loads(json.dumps(as_objects()))


def test_every_file_is_small() -> None:
    """All scripts and styles of all pages, packed, with the catalogue."""
    sizes = {path: len(file.packed or file.body) for path, file in files().items()}
    assert sum(sizes.values()) < 4 * FIRST_LOAD
    assert max(sizes.values()) < FIRST_LOAD / 3


def test_what_packing_does_not_help_is_not_packed() -> None:
    """Pictures are packed already."""
    assert all(file.packed is None for path, file in files().items() if path.endswith(".png"))
    assert all(
        file.packed is None or len(file.packed) < len(file.body) for file in files().values()
    )
