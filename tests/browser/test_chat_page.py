"""The chat in Chromium against a real server: talking, friends, and what goes wrong."""

import asyncio
import json
import re
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from chat_page import (
    ANNA,
    BO,
    CARL,
    DORA,
    NARROW,
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
    say,
    talk_to,
    width_beyond,
)
from kqq.client import Client
from kqq.protocol import ServerMsg
from stage import Wire, add_person, request

expect.set_options(timeout=8_000)
HOSTILE = "<img src=x onerror='window.hit=1'> <script>window.hit=2</script> &amp; {{7*7}}"
TURNED = "\u202egnp.exe\u2066 user\u2069 \u200b\u200f"


async def heard(client: Client, wanted: int = 1) -> list[ServerMsg]:
    """Return the next messages that a client of the library gets."""
    found: list[ServerMsg] = []
    async with asyncio.timeout(8):
        async for push in client.events():
            if isinstance(push, ServerMsg):
                found.append(push)
            if len(found) == wanted:
                return found
    return found


async def write_to(wire: Wire, uin: int, to: int, text: str, seq: int) -> None:
    """Have a phone send a message."""
    await wire.say(request("CLTMSG", uin, f"UN={to}&MG={text}", seq=seq))


def badge(page: Page, uin: int) -> Locator:
    """Return the number beside somebody's row."""
    return row(page, uin).locator(".badge")


# --- talking -------------------------------------------------------------------------------------


async def test_a_page_and_a_phone_talk(new_page: NewPage, server: Site) -> None:
    """What is written arrives, both ways; what is not in view is counted, and read when opened."""
    page = await chat(new_page)
    phone = await server.wire(BO)
    await expect(row(page, BO)).to_contain_text("Online")
    await talk_to(page, BO)
    await expect(page.locator(".log-top")).to_have_text("Nothing was said yet. Say hello.")
    await say(page, "你好, 100% & a=b\nline two")
    await expect(page.locator(".message.own")).to_have_attribute("data-state", "sent")
    assert "MG=你好%2c 100%25 %26 a=b%0aline two" in await phone.hear()
    await write_to(phone, BO, ANNA, "hello back", 300)
    await expect(bubbles(page).last).to_have_text("hello back")
    await expect(page.locator("[role=log]")).to_contain_text("小波: hello back")
    await expect(page).to_have_title("kqq")

    await talk_to(page, CARL)
    await write_to(phone, BO, ANNA, "one more", 301)
    await expect(badge(page, BO)).to_have_text("1 unread")
    await expect(row(page, BO)).to_contain_text("one more")
    await expect(page).to_have_title("(1) kqq")
    await talk_to(page, BO)
    await expect(badge(page, BO)).to_have_count(0)
    await expect(page.locator(".first-new .text")).to_have_text("one more")
    await expect(page).to_have_title("kqq")
    await page.reload()
    await online(page)
    await expect(page).to_have_url(re.compile(f"#{BO}$"))
    await expect(bubbles(page)).to_have_text(
        ["你好, 100% & a=b\nline two", "hello back", "one more"]
    )
    await expect(badge(page, BO)).to_have_count(0)


async def test_enter_while_an_input_method_composes(new_page: NewPage, server: Site) -> None:
    """Enter that chooses a word sends nothing; the next one does. Shift+Enter begins a line."""
    page = await chat(new_page)
    phone = await server.wire(BO)
    await talk_to(page, BO)
    keys = await page.context.new_cdp_session(page)
    await field(page).focus()
    await keys.send(
        "Input.imeSetComposition", {"text": "ni hao", "selectionStart": 6, "selectionEnd": 6}
    )
    enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229}
    await keys.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **enter})
    await expect(bubbles(page)).to_have_count(0)
    await expect(field(page)).to_have_value("ni hao")
    # Some systems end the composition first, and say of the key only that it was theirs.
    await keys.send("Input.insertText", {"text": "你好"})
    await keys.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **enter})
    await expect(bubbles(page)).to_have_count(0)
    await field(page).press("Shift+Enter")
    await page.keyboard.type("Anna")
    before = await field(page).bounding_box()
    await field(page).press("Shift+Enter")
    after = await field(page).bounding_box()
    assert before is not None
    assert after is not None
    assert after["height"] > before["height"]
    await field(page).press("Enter")
    await expect(bubbles(page)).to_have_text(["你好\nAnna"])
    assert (await phone.hear()).endswith("&MG=你好%0aAnna")
    await expect(field(page)).to_have_value("")


async def test_texts_cannot_do_harm(new_page: NewPage, server: Site) -> None:
    """Markup is text, nothing turns or hides what is ours, links lead to the web only."""
    add_person(server.server.store, 10005, HOSTILE[:64])
    add_person(server.server.store, 10006, TURNED)
    add_person(server.server.store, 10007, "\u200b\u2060\u3164")
    for uin in (10005, 10006, 10007):
        server.server.store.add_friends(ANNA, uin)
    page = await chat(new_page, viewport=NARROW)
    await expect(row(page, 10005).locator(".name")).to_have_text(HOSTILE[:64])
    await expect(row(page, 10006).locator(".name")).to_have_text("gnp.exe user")
    await expect(row(page, 10007).locator(".name")).to_have_text("10007")
    texts = [
        HOSTILE,
        TURNED + "abc",
        "\u200b\u2060",
        "Z" + "\u0351\u0489\u033b" * 60,
        "w" * 400,
        "javascript:alert(1) data:text/html,x http://[ https://example.org/a?b=c&d=<e>, end",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "%0d%0aCMD=Logout&RES=0",
    ]
    sender = await server.client(10005)
    for text in texts:
        await sender.send(ANNA, text)
    await talk_to(page, 10005)
    await expect(bubbles(page)).to_have_count(len(texts))
    shown = await bubbles(page).all_text_contents()
    expected = [*texts[:2], "(nothing that can be seen)", *texts[3:]]
    assert shown == expected
    assert await page.evaluate("window.hit") is None
    assert await page.locator(".log :is(img, script, iframe, style)").count() == 0
    links = page.locator(".log a")
    await expect(links).to_have_count(1)
    await expect(links).to_have_attribute("href", "https://example.org/a?b=c&d=")
    await expect(links).to_have_attribute("rel", "noopener noreferrer nofollow")
    assert await width_beyond(page) == []
    turned = page.locator(".message", has=page.get_by_text("abc")).locator("time")
    assert re.fullmatch(r"\d\d:\d\d", await turned.inner_text())
    await page.get_by_title("Profile").click()
    await expect(dialog(page)).to_contain_text(HOSTILE[:64])
    await expect(dialog(page)).to_contain_text("nothing more")
    assert await page.evaluate("window.hit") is None


async def test_the_longest_message(new_page: NewPage, server: Site) -> None:
    """16,000 signs go and come; the beginning is shown until all is wanted; no more can be sent."""
    page = await chat(new_page)
    bo = await server.client(BO)
    await talk_to(page, BO)
    long = "汉字" * 8_000
    await field(page).fill(long + "!")
    await expect(page.locator(".count")).to_have_text("-1 characters left")
    await field(page).press("Enter")
    await expect(field(page)).to_have_value(long + "!")
    await say(page, long)
    await expect(page.locator(".message.own")).to_have_attribute("data-state", "sent")
    (said,) = await heard(bo)
    assert said.text == long
    await bo.send(ANNA, long)
    await expect(bubbles(page)).to_have_count(2)
    assert len(await bubbles(page).last.inner_text()) < 2_000
    await page.get_by_role("button", name="Show all 16000 characters").last.click()
    await expect(bubbles(page).last).to_have_text(long)


async def test_history_without_end(new_page: NewPage) -> None:
    """Older messages come as one scrolls up, and what was in view stays where it is."""
    count = 330
    seed = [message(number, f"number {number}", own=number % 4 == 0) for number in range(count)]
    page = await chat(new_page, seed=seed, path=f"/#{BO}")
    await expect(bubbles(page).last).to_have_text(f"number {count - 1}")
    await expect(bubbles(page).last).to_be_in_viewport()
    log = page.locator(".log")
    shown = await bubbles(page).count()
    assert shown < 200
    while shown < count:
        # The first message in view, before and after older ones came in front of it.
        moved = await log.evaluate(
            """async (log) => {
              log.scrollTop = 150;
              const items = [...log.querySelectorAll(".message")];
              const item = items.find((one) => one.getBoundingClientRect().top > 120);
              const before = item.getBoundingClientRect().top;
              const count = items.length;
              for (let turn = 0; turn < 200; turn += 1) {
                await new Promise((resolve) => setTimeout(resolve, 10));
                if (log.querySelectorAll(".message").length > count) break;
              }
              return [item.getBoundingClientRect().top - before,
                log.querySelectorAll(".message").length];
            }"""
        )
        assert abs(moved[0]) <= 2, moved
        assert moved[1] > shown
        shown = moved[1]
    await expect(page.locator(".log-top")).to_have_text("This is where it began.")
    texts = await bubbles(page).all_text_contents()
    assert texts == [f"number {number}" for number in range(count)]
    days = await page.locator(".log .day").all_text_contents()
    assert days == list(dict.fromkeys(days))
    await page.get_by_role("button", name="To the newest message").click()
    await expect(bubbles(page).last).to_be_in_viewport()
    await say(page, "and one more")
    await expect(bubbles(page).last).to_be_in_viewport()


async def test_what_comes_while_one_reads_above(new_page: NewPage, server: Site) -> None:
    """The place stays; the way down says how much is new there."""
    seed = [message(number, f"number {number}") for number in range(60)]
    page = await chat(new_page, seed=seed, path=f"/#{BO}")
    phone = await server.wire(BO)
    await expect(bubbles(page).last).to_be_in_viewport()
    log = page.locator(".log")
    await log.evaluate("(log) => log.scrollTo(0, log.scrollHeight / 2)")
    await expect(page.locator(".to-end")).to_be_visible()
    before = await log.evaluate("(log) => log.scrollTop")
    await write_to(phone, BO, ANNA, "news", 310)
    to_end = page.get_by_role("button", name="To the newest message, 1 new")
    await expect(to_end).to_be_visible()
    assert await log.evaluate("(log) => log.scrollTop") == before
    await to_end.click()
    await expect(bubbles(page).last).to_have_text("news")
    await expect(bubbles(page).last).to_be_in_viewport()
    await expect(page.locator(".to-end")).to_be_hidden()


# --- what goes wrong -----------------------------------------------------------------------------


async def test_without_a_server(new_page: NewPage, server: Site, complaints: Any) -> None:
    """The banner says so; what is written waits, also over a reload, and is sent once."""
    complaints.allowed += ["WebSocket", "ERR_CONNECTION_REFUSED"]
    page = await chat(new_page)
    await talk_to(page, BO)
    await page.evaluate("navigator.serviceWorker.ready.then(() => 0)")
    await expect(page.locator(".banner")).to_be_hidden()
    await page.reload()  # everything goes through the worker now
    await online(page)
    await server.stop()
    await expect(page.locator(".banner")).to_contain_text("No connection.")
    await expect(page.locator(".seconds")).to_have_text(re.compile(r"Again in \d+ s"))
    await say(page, "when you are back")
    waiting = page.locator(".message.own[data-state=waiting]")
    await expect(waiting.get_by_role("img", name="waits to be sent")).to_be_visible()
    await page.reload()
    await expect(page.locator(".banner")).to_contain_text("No connection.")
    await expect(waiting).to_have_count(1)
    await server.start()
    bo = await server.client(BO)
    if await page.locator(".banner").is_visible():
        await page.get_by_role("button", name="Try now").click()
    await expect(page.locator(".message.own")).to_have_attribute("data-state", "sent")
    await expect(page.locator(".banner")).to_be_hidden()
    assert [one.text for one in await heard(bo)] == ["when you are back"]
    kept = await page.evaluate(
        """async () => {
          const names = await caches.keys();
          const cache = await caches.open(names[0]);
          return (await cache.keys()).map(({ url }) => new URL(url).pathname);
        }"""
    )
    assert "/" in kept
    assert "/static/js/chat/main.js" in kept
    assert not [path for path in kept if path.startswith("/api")]


async def test_what_the_server_does_not_take(new_page: NewPage, server: Site) -> None:
    """A message to no friend is refused and says so; it can be sent again, or discarded."""
    unknown = message(1, "did it arrive?", own=True, state="unknown", peer=CARL)
    page = await chat(new_page, seed=[unknown], path=f"/#{DORA}")
    await say(page, "hello stranger")
    refused = page.locator(".message[data-state=refused]")
    await expect(refused).to_contain_text("The server did not take this")
    await expect(row(page, DORA)).to_contain_text("You: hello stranger")
    server.server.store.add_friends(ANNA, DORA)
    await refused.get_by_role("button", name="Send again").click()
    await expect(page.locator(".message.own")).to_have_attribute("data-state", "sent")
    await talk_to(page, CARL)
    lost = page.locator(".message[data-state=unknown]")
    await expect(lost).to_contain_text("Nobody can know whether this arrived.")
    assert await axe(page) == []
    await lost.get_by_role("button", name="Discard").click()
    await expect(page.locator(".message")).to_have_count(0)
    await expect(row(page, CARL)).not_to_contain_text("did it arrive?")


@pytest.mark.settings(heartbeat=1)
async def test_signed_in_elsewhere_and_back(new_page: NewPage, server: Site) -> None:
    """The page does not fight; one button has it back."""
    page = await chat(new_page)
    await server.wire(ANNA)
    await expect(page.locator(".banner")).to_contain_text(
        "You are signed in elsewhere, such as on a phone."
    )
    await expect(page.locator(".me-bar")).to_contain_text("Offline")
    await page.get_by_role("button", name="Use it here").click()
    await online(page)
    await expect(page.locator(".banner")).to_be_hidden()


async def test_a_session_that_is_ended(new_page: NewPage, server: Site) -> None:
    """The page says who may have done it, in both languages, and comes back at a press."""
    for locale, words, back in (
        ("en-GB", "Your session was ended, by an operator or on your account page.", "Use it here"),
        ("zh-CN", "您的会话已被结束：由管理员，或在您的账号页上。", "在这里使用"),
    ):
        page = await chat(new_page, locale=locale)
        assert server.server._services.sessions.kick(ANNA, "be nice")
        await expect(page.locator(".banner .spread")).to_have_text(words)
        await page.get_by_role("button", name=back).click()
        await expect(page.locator(".banner")).to_be_hidden()
        await page.context.close()


async def test_one_tab_speaks(new_page: NewPage) -> None:
    """Another tab says that the chat is open; taken there, the first one says so."""
    page = await chat(new_page)
    other = await page.context.new_page()
    await other.goto("/")
    await expect(other.get_by_role("heading")).to_have_text("The chat is open in another tab")
    assert await axe(other) == []
    await other.get_by_role("button", name="Use it here").click()
    await online(other)
    await expect(page.get_by_role("heading")).to_have_text("The chat is open in another tab")


async def test_signing_out_and_in(new_page: NewPage, server: Site) -> None:
    """Here it asks what becomes of the history; elsewhere it is noticed; then one can sign in."""
    page = await chat(new_page, seed=[message(1, "remember this")])
    await page.get_by_role("button", name="Settings").click()
    await dialog(page).get_by_role("button", name="Sign out").click()
    await dialog(page).get_by_text("Delete the conversations").click()
    await dialog(page).get_by_role("button", name="Sign out").click()
    await page.locator("[name=uin]").fill(str(ANNA))
    await page.locator("[name=password]").fill("secret")
    await page.locator("[name=password]").press("Enter")
    await online(page)
    await expect(row(page, BO)).to_be_visible()
    await expect(page.get_by_text("remember this")).to_have_count(0)
    site = server.server._web_door.site  # type: ignore[union-attr]
    await site.visits.end_all(ANNA)
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert await page.evaluate("localStorage.getItem('kqq.who')") is None


# --- people --------------------------------------------------------------------------------------


async def test_answering_friend_requests(new_page: NewPage, server: Site) -> None:
    """Refused with words that arrive, then accepted: both are friends."""
    page = await chat(new_page)
    dora = await server.client(DORA)
    await dora.add(ANNA)
    await dora.request(ANNA, "<b>It is me</b>")
    asking = page.locator(".request")
    await expect(asking).to_contain_text("Dora")
    await asking.click()
    await expect(dialog(page).locator("blockquote")).to_have_text("<b>It is me</b>")
    assert await axe(page) == []
    await dialog(page).get_by_role("button", name="Refuse").click()
    await page.keyboard.type("not now")
    await dialog(page).get_by_role("button", name="Refuse").click()
    await expect(asking).to_have_count(0)
    (answer,) = await heard(dora)
    assert (answer.type, answer.text) == (4, "not now")
    await dora.request(ANNA, "please")
    await asking.click()
    await dialog(page).get_by_role("button", name="Accept").click()
    await expect(row(page, DORA)).to_contain_text("Online")
    await page.locator(".toast").get_by_role("button", name="Write").click()
    await say(page, "welcome")
    texts = [(one.type, one.text) for one in await heard(dora, 2)]
    assert texts[-1] == (9, "welcome")


async def test_making_friends(new_page: NewPage, server: Site) -> None:
    """By number, with what can go wrong, or found by what people say of themselves."""
    await server.server.store.change_profile(DORA, {"sex": "1", "age": "33", "province": "Hainan"})
    page = await chat(new_page)
    dora = await server.client(DORA)
    await page.get_by_role("button", name="Add a friend").click()
    number = dialog(page).get_by_label("Number")
    wrong = dialog(page).get_by_role("alert").first
    await expect(number).to_be_focused()
    for typed, why in (("12", "5 to 10 digits"), (ANNA, "your own"), (19999, "Nobody has this")):
        await number.fill(str(typed))
        await number.press("Enter")
        await expect(wrong).to_contain_text(why)
    await dialog(page).get_by_text("You do not know the number?").click()
    await dialog(page).get_by_label("Age").fill("33")
    await dialog(page).get_by_label("Sex").select_option("Female")
    await dialog(page).get_by_role("button", name="Search").click()
    await dialog(page).locator(".list button").filter(has_text="Dora").click()
    assert await axe(page) == []
    await expect(number).to_have_value(str(DORA))
    await dialog(page).get_by_label("A few words").fill("it is Anna")
    await dialog(page).get_by_role("button", name="Add", exact=True).click()
    await expect(page.locator(".toast")).to_contain_text("is asked")
    (asked,) = await heard(dora)
    assert (asked.type, asked.text) == (2, "it is Anna")
    await dora.accept(ANNA)
    await expect(page.locator(".toast").last).to_contain_text("accepted")
    await expect(row(page, DORA)).to_contain_text("Online")

    await talk_to(page, DORA)
    await page.get_by_title("Profile").click()
    await expect(dialog(page)).to_contain_text("Female")
    await expect(dialog(page)).to_contain_text("Hainan")
    await dialog(page).get_by_role("button", name="Remove friend").click()
    await dialog(page).get_by_role("button", name="Remove friend").click()
    await expect(page.locator(".conversation .bar")).to_contain_text("not a friend")
    assert DORA not in server.server.store.friends(ANNA)


async def test_own_status(new_page: NewPage, server: Site) -> None:
    """Chosen in the menu by keyboard, seen by others, and kept by the menu."""
    page = await chat(new_page)
    phone = await server.wire(BO)
    own = page.get_by_title("Your status")
    await own.focus()
    await page.keyboard.press("Enter")
    menu = page.get_by_role("menu")
    await expect(menu.get_by_role("menuitemradio", name="Online")).to_be_focused()
    for _ in range(2):
        await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(own).to_contain_text("Away")
    await expect(own).to_be_focused()
    assert "ST=30&UN=10001" in await phone.hear()
    await own.click()
    chosen = menu.get_by_role("menuitemradio", name="Away")
    await expect(chosen).to_have_attribute("aria-checked", "true")
    await page.keyboard.press("Escape")
    await expect(menu).to_have_count(0)


# --- finding, keys, settings ---------------------------------------------------------------------


async def test_search(new_page: NewPage) -> None:
    """Friends by name, words in messages with their place; Enter goes there."""
    seed = [message(number, f"word{number} about <Cats>") for number in range(200)]
    seed += [message(500, "the DOG & the cat", peer=CARL, own=True)]
    page = await chat(new_page, seed=seed)
    await page.keyboard.press("Control+k")
    found = dialog(page).get_by_role("option")
    await page.keyboard.type("小")
    await expect(found).to_have_count(1)
    box = dialog(page).get_by_role("combobox")
    await box.fill("dog cat")
    await expect(found).to_have_text(re.compile("You to Carl.*the DOG & the cat"))
    assert await found.locator("mark").all_text_contents() == ["DOG", "cat"]
    await box.fill("word7 <cats>")
    await expect(found).to_contain_text(["word79", "word78", "word77"])
    assert await axe(page) == []
    await box.fill("word7 ")
    await box.fill("nothing like this")
    await expect(dialog(page).get_by_role("status")).to_have_text("Nothing was found.")
    await box.fill("word3 ")
    await expect(found).to_have_count(11)
    await page.keyboard.press("ArrowUp")
    for _ in range(10):
        await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator(".found .text")).to_have_text("word3 about <Cats>")
    await expect(page.locator(".found")).to_be_in_viewport()
    await page.get_by_role("button", name="Search in this conversation").click()
    await dialog(page).get_by_role("combobox").fill("the")
    await expect(found).to_have_count(0)
    await page.get_by_label("Only with 小波").uncheck()
    await expect(found).to_have_count(1)


async def test_a_walk_by_keyboard(new_page: NewPage, server: Site) -> None:
    """Everything is reached without a mouse, and the focus is where one expects it."""
    seed = [message(1, "hi"), message(2, "ho", peer=CARL)]
    page = await chat(new_page, seed=seed)
    press = page.keyboard.press
    for _ in range(12):
        await press("Tab")
        if await row(page, CARL).evaluate("(row) => row === document.activeElement"):
            break
    await expect(row(page, CARL)).to_be_focused()
    await press("ArrowDown")
    await expect(row(page, BO)).to_be_focused()
    await press("End")
    await press("Home")
    await press("ArrowDown")
    ring = await row(page, BO).evaluate("(row) => getComputedStyle(row).boxShadow")
    assert ring != "none"
    await press("Enter")
    await expect(field(page)).to_be_focused()
    await page.keyboard.type("typed")
    await press("Enter")
    await expect(bubbles(page).last).to_have_text("typed")
    await expect(field(page)).to_be_focused()
    await press("Escape")
    await expect(row(page, BO)).to_be_focused()
    await press("Alt+ArrowDown")
    await expect(page.locator(".conversation .bar h2")).to_have_text("Carl")
    await press("Escape")
    await press("/")
    await expect(dialog(page).get_by_role("combobox")).to_be_focused()
    await press("Escape")
    await expect(row(page, CARL)).to_be_focused()
    await press("F1")
    await expect(dialog(page)).to_contain_text("Shift Enter")
    await press("Escape")
    await press("F2")
    await expect(page.get_by_role("complementary", name="The wire")).to_be_visible()
    lines = page.locator(".wire-line")
    await lines.last.focus()
    await press("ArrowUp")
    await expect(page.locator(".explained")).to_be_visible()
    await press("F2")
    await expect(page.locator(".wire")).to_be_hidden()
    await expect(page.get_by_role("button", name="The wire")).to_be_focused()
    await talk_to(page, BO)
    for _ in range(6):
        await press("Shift+Tab")
    assert await page.evaluate("document.activeElement !== document.body")


async def test_the_wire(new_page: NewPage, server: Site) -> None:
    """Each line as it goes, explained; filtered, paused and copied; never a secret."""
    page = await chat(new_page, permissions=["clipboard-read", "clipboard-write"])
    phone = await server.wire(BO)
    await talk_to(page, BO)
    await page.get_by_role("button", name="The wire").click()
    lines = page.locator(".wire-line")
    await expect(lines.filter(has_text="Login").first).to_contain_text("PS=***")
    await say(page, "on the wire")
    await expect(lines.filter(has_text="CLTMSG")).to_have_count(2)
    await lines.filter(has_text="MG=on the wire").click()
    told = page.locator(".explained")
    await expect(told.get_by_role("heading")).to_have_text("CLTMSG")
    await expect(told.locator("tr", has_text="MG")).to_contain_text("on the wire")
    to_whom = told.locator("tr").filter(has=page.get_by_text("UN", exact=True))
    await expect(to_whom).to_contain_text("10002")
    await lines.filter(has_text="PS=").first.click()
    secret = told.locator("tr").filter(has=page.get_by_text("PS", exact=True))
    await expect(secret).to_contain_text("(secret)")
    assert "00000000000000000000000000000000" not in await page.locator(".wire").inner_text()
    assert await axe(page) == []

    await page.get_by_role("button", name="Pause").click()
    await write_to(phone, BO, ANNA, "\u202ereversed", 320)
    await expect(bubbles(page).last).to_have_text("\u202ereversed")
    await expect(lines.filter(has_text="reversed")).to_have_count(0)
    await page.get_by_role("button", name="Go on").click()
    await expect(lines.filter(has_text="MG=‹202E›reversed")).to_have_count(1)
    await page.get_by_role("searchbox", name="Filter").fill("server_msg REVERSED")
    await expect(lines).to_have_count(1)
    await page.get_by_role("button", name="Said").click()
    await expect(lines).to_have_count(0)
    await expect(page.get_by_text("No such line")).to_be_visible()
    await page.get_by_role("button", name="Heard").click()
    await page.get_by_role("button", name="Copy these lines").click()
    await expect(page.locator(".toast")).to_have_text("Copied, without secrets.")
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(r"\S+Z < VER=\S+ ?.*MG=\u202ereversed\n", copied), copied


async def test_settings(new_page: NewPage) -> None:
    """Language and colours change at once and last; the history is saved, and forgotten."""
    page = await chat(new_page, seed=[message(1, "keep me")], path=f"/#{BO}")
    await page.get_by_role("button", name="Settings").click()
    assert await axe(page) == []
    await dialog(page).get_by_label("Language").select_option("中文")
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await dialog(page).get_by_label("颜色").select_option("深色")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await dialog(page).get_by_label("提示音").uncheck()
    await page.keyboard.press("Escape")
    await expect(field(page)).to_have_attribute("placeholder", "写消息")
    await expect(row(page, BO)).to_contain_text("离线")
    await page.reload()
    await online(page)
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.get_by_role("button", name="设置").click()
    await expect(dialog(page).get_by_label("提示音")).not_to_be_checked()
    async with page.expect_download() as download:
        await dialog(page).get_by_role("button", name="存为文件").click()
    file = await download.value
    assert file.suggested_filename == f"kqq-{ANNA}-conversations.json"
    path = await file.path()
    assert [one["text"] for one in json.loads(path.read_text())["messages"]] == ["keep me"]
    await dialog(page).get_by_role("button", name="全部删除").click()
    await dialog(page).get_by_role("button", name="删除", exact=True).click()
    await online(page)
    await expect(page.get_by_text("keep me")).to_have_count(0)
    await page.get_by_role("button", name="设置").click()
    await dialog(page).get_by_role("button", name="存为文件").click()
    await expect(page.locator(".toast").last).to_have_text("还没有会话。")


_WITNESS = """
  window.tones = 0; window.shown = []; window.isHere = true;
  document.hasFocus = () => window.isHere;
  const Tone = window.OscillatorNode;
  window.OscillatorNode = class extends Tone { constructor(...all) { super(...all); tones += 1; } };
  ServiceWorkerRegistration.prototype.showNotification = async (title, how) => {
    window.shown.push([title, how.body, how.data.uin]);
  };
"""


_UNTIL_SHOWN = """async () => {
  for (let turn = 0; turn < 200 && !shown.length; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}"""


async def test_being_told(new_page: NewPage, server: Site) -> None:
    """A tone for what is not in view; a notice only once it is allowed, and nobody looks."""
    page = await new_page("/api/hello", uin=ANNA)
    await page.add_init_script(_WITNESS)
    await page.goto("/")
    await online(page)
    phone = await server.wire(BO)
    await talk_to(page, BO)
    await write_to(phone, BO, ANNA, "seen", 330)
    await expect(bubbles(page).last).to_have_text("seen")
    assert await page.evaluate("[tones, shown.length]") == [0, 0]
    await page.context.grant_permissions(["notifications"])
    await page.get_by_role("button", name="Settings").click()
    await dialog(page).get_by_label("A notice on the desktop").check()
    await page.keyboard.press("Escape")
    await page.evaluate("navigator.serviceWorker.ready.then(() => { window.isHere = false; })")
    await write_to(phone, BO, ANNA, "look <b>here</b>%0anow", 331)
    await expect(page).to_have_title("(1) kqq")
    await page.evaluate(_UNTIL_SHOWN)
    assert await page.evaluate("shown") == [["Message from 小波", "look <b>here</b> now", BO]]
    assert await page.evaluate("tones") == 2
    await page.evaluate("() => { window.isHere = true; dispatchEvent(new Event('focus')); }")
    await expect(page).to_have_title("kqq")


async def test_who_signed_out_elsewhere_is_shown_no_more(new_page: NewPage, server: Site) -> None:
    """Not even without a network, where the history of who did not sign out can be read."""
    page = await new_page("/", uin=ANNA)
    await page.get_by_text("小波").first.wait_for()
    remembered = "localStorage.getItem('kqq.who')"
    assert await page.evaluate(remembered) is not None
    await page.goto(f"{server.url}/account")
    await page.get_by_role("button", name="Sign out").first.click()
    await page.locator("input[type=password]").first.wait_for()
    assert await page.evaluate(remembered) is None
