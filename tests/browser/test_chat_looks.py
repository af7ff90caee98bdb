"""The chat in Chromium: on narrow screens, for screen readers, in both languages; how it loads."""

import json
import re
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from chat_page import (
    ANNA,
    BO,
    CARL,
    DORA,
    NARROW,
    STATIC,
    WIDE,
    NewPage,
    Site,
    axe,
    bubbles,
    chat,
    dialog,
    field,
    message,
    online,
    row,
    talk_to,
    width_beyond,
)
from stage import add_person

expect.set_options(timeout=8_000)
MOST_BYTES = 150_000
_IMPORT = re.compile(
    r'^(?:import|export)\s[^;]*?from "(\.[^"]+)"|^import "(\.[^"]+)"', re.MULTILINE
)
_DARK = re.compile(
    r"""(?::root)?(?:(?P<system>:not\(\[data-theme="light"\]\))|\[data-theme="dark"\])(?P<what>.*)"""
)
_PLACES = re.compile(r"\{\w+\}")
_KEY = re.compile(r'"((?:chat|keys|error|find|friends|card|settings|wire|phone)\.[a-z_]+)"')


def said() -> list[dict[str, object]]:
    """Return what was said with some people, of all kinds."""
    long = "一段很长的话，" * 12
    return [
        message(1, "https://example.org/" + "very-long-" * 20),
        message(2, long, own=True, state="sent"),
        message(3, "👍", own=True, state="waiting"),
        message(4, "W" * 90, own=True, state="refused", why="RES=1"),
        message(5, "lost", own=True, state="unknown"),
        message(6, "Are you there?", peer=CARL, read=False),
        message(7, "The server is updated tonight.", peer=10000, kind="system"),
    ]


async def people(server: Site) -> None:
    """Have more people there, with names that are long, and one who asks."""
    add_person(server.server.store, 10011, "很长的名字" * 12, face=270)
    server.server.store.add_friends(ANNA, 10011)
    dora = await server.client(DORA)
    await dora.add(ANNA)
    await dora.request(ANNA, "x" * 150)


async def contents(page: Page, zh: bool) -> None:
    """Open each part of the page and see that it fits and has no errors for axe."""

    def button(en: str, other: str) -> Locator:
        return page.get_by_role("button", name=other if zh else en).first

    await expect(page.locator(".request")).to_be_visible()
    assert await width_beyond(page) == []
    assert await axe(page) == []
    for opener in (
        page.locator(".request"),
        button("Add a friend", "加好友"),
        button("Settings", "设置"),
        page.locator(".find-button"),
    ):
        await opener.click()
        await expect(dialog(page)).to_be_visible()
        assert await width_beyond(page) == []
        await page.keyboard.press("Escape")
        await expect(dialog(page)).to_have_count(0)
    await button("The wire", "线路").click()
    await page.locator(".wire-line").nth(1).click()
    assert await width_beyond(page) == []
    await button("Close the wire", "关闭线路").click()
    await talk_to(page, BO)
    assert await width_beyond(page) == []
    assert await axe(page) == []


async def test_narrow_dark_chinese(new_page: NewPage, server: Site) -> None:
    """On 360 pixels, in the dark, in Chinese: all fits, and axe has nothing to say."""
    await people(server)
    page = await chat(new_page, seed=said(), viewport=NARROW, color_scheme="dark", locale="zh-CN")
    await contents(page, zh=True)


async def test_wide_light_english(new_page: NewPage, server: Site) -> None:
    """On a wide screen, in the light, in English, the same."""
    await people(server)
    page = await chat(new_page, seed=said(), viewport=WIDE)
    await contents(page, zh=False)
    await page.get_by_role("button", name="Send again").first.focus()
    await page.keyboard.press("Tab")
    marked = page.locator(":focus")
    assert await marked.evaluate("(one) => getComputedStyle(one).boxShadow") != "none"


async def test_one_pane_at_a_time(new_page: NewPage) -> None:
    """On a phone a conversation covers the roster; the ways back lead to it, and not further."""
    page = await chat(new_page, seed=said(), viewport=NARROW, has_touch=True, is_mobile=True)
    await expect(field(page)).to_be_hidden()
    await row(page, CARL).tap()
    await expect(bubbles(page)).to_have_text(["Are you there?"])
    await expect(row(page, CARL)).to_be_hidden()
    await page.go_back()
    await expect(row(page, CARL)).to_be_visible()
    await row(page, BO).tap()
    await page.get_by_role("button", name="Back to the list").tap()
    await expect(row(page, BO)).to_be_visible()
    await page.go_forward()
    await expect(field(page)).to_be_visible()
    await page.reload()
    await online(page)
    await expect(bubbles(page).last).to_have_text("lost")
    await page.get_by_role("button", name="Back to the list").tap()
    await expect(row(page, BO)).to_be_visible()
    await row(page, 10000).tap()
    await expect(page.get_by_text("Nobody reads answers here.")).to_be_visible()
    await expect(field(page)).to_be_hidden()


async def test_who_is_named_how(new_page: NewPage) -> None:
    """Landmarks and what changes by itself have names and roles; the list is one stop of Tab."""
    page = await chat(new_page, seed=said(), path=f"/#{BO}")
    await expect(page.get_by_role("region", name="Conversation with 小波")).to_be_visible()
    await expect(page.get_by_role("region", name="People")).to_be_visible()
    people = page.get_by_role("navigation", name="Conversations")
    stops = people.locator("[tabindex='0']")
    await expect(stops).to_have_count(1)
    carl = people.get_by_role("link", name=re.compile("^Carl Offline.*Are you there.*1 unread$"))
    await expect(carl).to_be_visible()
    await expect(people.get_by_role("link", name=re.compile("小波"))).to_have_attribute(
        "aria-current", "true"
    )
    await expect(page.locator("[role=log][aria-live=polite]")).to_have_count(1)
    await expect(page.get_by_role("region", name="Messages with 小波")).to_be_visible()
    before = page.get_by_role("button", name="Settings")
    await before.click()
    await expect(page.get_by_role("dialog", name="Settings")).to_be_visible()
    await expect(page.get_by_label("Language")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(before).to_be_focused()


async def test_the_way_in_fits(new_page: NewPage) -> None:
    """Who is not signed in sees how to be, in either language."""
    page = await new_page("/", viewport=NARROW)
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert await width_beyond(page) == []
    assert await axe(page) == []
    await page.get_by_role("button", name="中文").click()
    await expect(page.get_by_text("老手机和这个网页，同聊一个天。")).to_be_visible()


async def test_what_the_page_cannot_do_without(new_page: NewPage, complaints: Any) -> None:
    """A server, and a browser that keeps something: it is said which is missing."""
    complaints.allowed += ["ERR_FAILED", "denied"]
    page = await new_page(None, uin=ANNA)
    await page.route("**/api/me", lambda route: route.abort())
    await page.goto("/")
    await expect(page.get_by_role("heading")).to_have_text("The server cannot be reached")
    await page.unroute("**/api/me")
    await page.get_by_role("button", name="Try again").click()
    await online(page)
    await page.add_init_script(
        """IDBFactory.prototype.open = () => {
          throw new DOMException("denied here", "SecurityError");
        };"""
    )
    await page.reload()
    await expect(page.get_by_role("heading")).to_contain_text("lets the page keep nothing")
    await expect(page.get_by_role("main")).to_contain_text("denied here")
    assert await axe(page) == []


async def test_first_load(new_page: NewPage) -> None:
    """It is small, and everything it needs is asked for at once."""
    page = await new_page(None, uin=ANNA)
    await page.goto("/")
    await online(page)
    loaded = await page.evaluate(
        """() => ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind))
          .map(({ name, transferSize }) => [new URL(name).pathname, transferSize])"""
    )
    sizes = dict(loaded)
    assert sum(sizes.values()) < MOST_BYTES, sorted(sizes.items(), key=lambda item: -item[1])
    index = STATIC.joinpath("index.html").read_text(encoding="utf-8")
    ahead = re.findall(r'rel="modulepreload" href="([^"]+)"', index)
    needed = sorted(imports("js/chat/main.js") - {"/static/js/chat/main.js"})
    assert ahead == needed, "index.html should preload:\n" + "\n".join(needed)
    modules = {path for path in sizes if path.endswith(".js") and path.startswith("/static/")}
    assert modules == {*needed, "/static/js/chat/main.js"}


def imports(path: str) -> set[str]:
    """Return the paths of a module and of all that it imports, and what these import."""
    found: set[str] = set()
    waiting = [PurePosixPath(path)]
    while waiting:
        one = waiting.pop()
        if f"/static/{one}" in found:
            continue
        found.add(f"/static/{one}")
        text = STATIC.joinpath(str(one)).read_text(encoding="utf-8")
        for named in (first or second for first, second in _IMPORT.findall(text)):
            parts = list(one.parent.parts)
            for part in PurePosixPath(named).parts:
                if part == "..":
                    parts.pop()
                else:
                    parts.append(part)
            waiting.append(PurePosixPath(*parts))
    return found


async def test_it_can_be_installed(new_page: NewPage) -> None:
    """The manifest names pictures of the sizes they have; a worker of another day is tidied up."""
    page = await new_page(None, uin=ANNA)
    await page.goto("/api/hello")
    await page.evaluate("caches.open('kqq-shell-of-old').then(() => 0)")
    await page.goto("/")
    await online(page)
    sizes = await page.evaluate(
        """async () => {
          const manifest = await (await fetch("/manifest.webmanifest")).json();
          const found = [];
          for (const { src, sizes } of manifest.icons) {
            const picture = await createImageBitmap(await (await fetch(src)).blob())
              .catch(() => null); // an SVG has no size of its own
            found.push([src, sizes, picture && `${picture.width}x${picture.height}`]);
          }
          return found;
        }"""
    )
    assert len(sizes) == 4
    assert all(real in (None, named) for _, named, real in sizes), sizes
    await page.evaluate("navigator.serviceWorker.ready.then(() => 0)")
    await page.reload()
    await online(page)
    assert await page.evaluate("caches.keys()") == ["kqq-shell-1"]


async def test_words_are_complete(new_page: NewPage) -> None:
    """Both languages say the same things, with the same places; the code names no other words."""
    page = await new_page("/api/hello")
    found = json.loads(
        await page.evaluate(
            'import("/static/js/chat/words.js").then((all) => JSON.stringify(all.chatWords))'
        )
    )
    assert list(found["en"]) == list(found["zh"])
    for key, text in found["en"].items():
        assert set(_PLACES.findall(text)) == set(_PLACES.findall(found["zh"][key])), key
    named: set[str] = set()
    for file in STATIC.joinpath("js/chat").iterdir():
        if file.name != "words.js":
            named |= set(_KEY.findall(file.read_text(encoding="utf-8")))
    assert named - set(found["en"]) == set()


@pytest.mark.parametrize("name", ["base.css", "handset.css", "operator.css"])
def test_dark_is_the_same_by_choice_and_by_the_system(name: str) -> None:
    """The dark colours stand twice, so that the right ones are there before a script runs."""
    text = STATIC.joinpath("css", name).read_text(encoding="utf-8")
    chosen: dict[str, list[str]] = {}
    by_system: dict[str, list[str]] = {}
    for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", text):
        found = _DARK.search(selector)
        if found is not None:
            of = by_system if found["system"] else chosen
            of[found["what"].strip()] = body.split()
    assert chosen
    assert chosen == by_system


async def test_faces_differ(new_page: NewPage) -> None:
    """There are 96 pictures and no two are the same; without one the nickname decides."""
    page = await new_page("/api/hello")
    drawn = await page.evaluate(
        """async () => {
          const { face } = await import("/static/js/common/face.js");
          const codes = Array.from({ length: 96 }, (_, at) => at * 3);
          const odd = [[0, "\\u200b"], [0, "🙂x"], [-1, ""], [NaN, "b"], [null, "b"], [99999, "b"]];
          return [...codes.map((code) => [code, "a"]), ...odd]
            .map(([code, nick]) => face(code, nick).outerHTML);
        }"""
    )
    assert len(set(drawn[:96])) == 96
    assert all(one.startswith("<svg") for one in drawn)
    assert all("NaN" not in one and "undefined" not in one for one in drawn)
    assert [one for one, other in pairwise(sorted(drawn[:96])) if one == other] == []
