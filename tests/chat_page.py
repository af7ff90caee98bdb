"""The chat in a browser, as tests use it: what is there, and what somebody does with it."""

import json
import re
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any, Protocol

from playwright.async_api import Locator, Page, expect

from kqq.client import Client
from kqq.server import Server
from stage import Wire

ANNA, BO, CARL, DORA = 10001, 10002, 10003, 10004
NARROW = {"width": 360, "height": 740}
WIDE = {"width": 1280, "height": 800}
STATIC = resources.files("kqq.server.web").joinpath("static")
_SEED = """async ([uin, messages]) => {
  const { History } = await import("/static/js/kqq/history.js");
  const history = await History.open(uin);
  for (const message of messages) await history.add(message);
  history.close();
}"""
_NOW = 1_790_000_000_000

NewPage = Callable[..., Awaitable[Page]]


class Site(Protocol):
    """The fixture `server` (browser/conftest.py)."""

    server: Server
    url: str
    tcp: str

    async def wire(self, uin: int) -> Wire:
        """Return somebody's raw connection over TCP."""

    async def client(self, uin: int) -> Client:
        """Return somebody's client over TCP."""

    async def stop(self) -> None:
        """Stop the server."""

    async def start(self) -> None:
        """Open it again."""


def message(number: int, text: str, **more: Any) -> dict[str, Any]:
    """Return a message of a history: from Bo and read, `number` minutes after the first."""
    return {
        "id": f"seed-{number}", "peer": BO, "own": False, "text": text, "kind": "message",
        "at": _NOW + number * 60_000, "state": "received", "number": str(number), "read": True,
        **more,
    }  # fmt: skip


async def chat(
    new_page: NewPage, uin: int = ANNA, *, seed: list[dict[str, Any]] | None = None,
    path: str = "/", skin: str = "", **context: Any,
) -> Page:  # fmt: skip
    """Return the chat of somebody who is signed in and online, with these messages kept before."""
    page = await new_page("/api/hello", uin=uin, **context)
    if seed:
        await page.evaluate(_SEED, [uin, seed])
    if skin:
        await page.evaluate(
            "(value) => localStorage.setItem('kqq.chat', value)", json.dumps({"skin": skin})
        )
    await page.goto(path)
    await online(page)
    return page


async def online(page: Page) -> None:
    """Wait until the page is signed in to the protocol."""
    await expect(page.locator(".me-bar .presence, .screen .me-bar .presence")).to_have_class(
        re.compile("online")
    )


def row(page: Page, uin: int) -> Locator:
    """Return somebody's row of the roster."""
    return page.locator(f"a.talk[data-uin='{uin}']")


def field(page: Page) -> Locator:
    """Return where one writes."""
    return page.locator(".composer textarea")


def bubbles(page: Page) -> Locator:
    """Return the texts of the messages that are shown."""
    return page.locator(".log .message .text")


def dialog(page: Page) -> Locator:
    """Return the dialog that is open."""
    return page.locator("dialog[open]").last


async def talk_to(page: Page, uin: int) -> None:
    """Open the conversation with somebody."""
    await row(page, uin).click()
    await expect(page.locator(".conversation .bar")).to_contain_text(str(uin))


async def say(page: Page, text: str) -> None:
    """Write a message and send it."""
    await field(page).fill(text)
    await field(page).press("Enter")


async def axe(page: Page) -> list[str]:
    """Return what axe finds wrong with the page as it is: rule, element, and why."""
    source = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()
    await page.evaluate(source)
    found = await page.evaluate("axe.run()")
    return [
        f"{violation['id']}: {node['html'][:160]} ({node['failureSummary']})"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


async def width_beyond(page: Page) -> list[str]:
    """Return what makes the page wider than its window, or stands outside of it."""
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll("body, body *")]
          .filter((one) => one.checkVisibility() && !one.closest(".visually-hidden, svg, .text"))
          .filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5
            && getComputedStyle(one).position !== "absolute"
            && !one.parentElement.closest(".cut, .raw, .table, .lines, .passage"))
          .map((one) => `${one.className}: ${one.getBoundingClientRect().right}`)"""
    )
    scroll = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return found + ([f"the page: {scroll}"] if scroll > 0 else [])
