"""The operator's page in Chromium: what is seen, what is done with it, and who may do what."""

import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, get_args

import pytest
from playwright.async_api import BrowserContext, Locator, Page, Route, expect

from kqq.client import Address, open_transport
from kqq.server import Server, devices, operators
from kqq.server.admin import ACTIONS
from kqq.server.admin.base import bounds_of
from kqq.server.operators import Role
from stage import MD5, PASSWORD, Wire, add_person, request, sign_in_line

ANNA, BO, CARL, DORA = 10001, 10002, 10003, 10004
EVIL = "<img src=x onerror='window.hit=1'>{who}$&"
VIEWS = [
    "overview", "people", f"people/{BO}", "sessions", "invitations", "announce",
    f"diagnosis/{BO}", "wire", "limits", "operators", "deeds",
]  # fmt: skip
FIGURES = (
    "messages", "delivered", "sign_ins", "sign_ins_refused", "connections", "sessions_tcp",
    "sessions_http", "sessions_web", "commit_ms", "loop_ms", "bytes_in", "bytes_out",
)  # fmt: skip
NAMELESS = """() => [...document.querySelectorAll("button, a, input, select, textarea, dialog")]
  .filter((one) => !(one.ariaLabel || one.labels?.length || one.textContent.trim()
    || one.getAttribute("aria-labelledby")))
  .map((one) => one.outerHTML)"""
"""What screen readers have no name for."""

NewPage = Callable[..., Awaitable[Page]]
Library = Callable[..., Awaitable[Any]]


class Site(Protocol):
    """The fixture `server` (conftest.py)."""

    server: Server
    url: str
    tcp: str

    async def wire(self, uin: int) -> Wire:
        """Return somebody's connection over TCP."""


async def appoint(server: Site, uin: int, role: Role) -> None:
    """Give somebody a role."""
    await server.server._operators.add(uin, role)


@pytest.fixture
def operator_page(new_page: NewPage, server: Site) -> NewPage:
    """The page of Anna the administrator, at the view that is named."""

    async def make(view: str = "overview", **context: Any) -> Page:
        await appoint(server, ANNA, Role.ADMINISTRATOR)
        return await new_page(f"/operator#{view}", uin=ANNA, **context)

    return make


async def press(page: Page | Locator, name: str) -> None:
    """Press the button with exactly this name."""
    await page.get_by_role("button", name=name, exact=True).click()


def dialog(page: Page) -> Locator:
    """Return the dialog that is open."""
    return page.locator("dialog[open]")


def code_box(page: Page, name: str) -> Locator:
    """Return the box with something that is shown once."""
    return dialog(page).get_by_role("textbox", name=name, exact=True)


async def no_session(wire: Wire, uin: int) -> None:
    """Make sure that somebody is signed in no more."""
    await wire.say(request("List", uin))
    while "CMD=List" not in (reply := await wire.hear()) and "CMD=LIST" not in reply:
        assert reply
    assert "&RES=20" in reply


async def said(page: Page, words: str) -> None:
    """Wait until it was said what was done."""
    await expect(page.locator(".toast", has_text=words)).to_be_visible()


async def nothing_ran(page: Page) -> None:
    """Make sure that no text was read as markup."""
    assert await page.evaluate("window.hit") is None
    assert await page.locator("img").count() == 0


def trends(minutes: float) -> dict[str, Any]:
    """Return figures as the server has them; messages are 0 to 2 a second, with a gap."""
    every, count = (10, 30) if minutes <= 60 else (60, 90)
    now = time.time()
    times = [now - (count - 1 - at) * every for at in range(count)]
    values: list[float | None] = [at % 3 for at in range(count)]
    values[5:8] = [None, None, None]
    return {"every": every, "times": times, "series": dict.fromkeys(FIGURES, values)}


async def give_trends(context: BrowserContext) -> None:
    """Have pages see an hour's figures: a server that has just begun has none yet."""

    async def answer(route: Route) -> None:
        minutes = float(route.request.url.partition("minutes=")[2])
        await route.fulfill(body=json.dumps(trends(minutes)), content_type="application/json")

    await context.route("**/api/v1/trends?*", answer)


async def test_the_overview_shows_figures(operator_page: NewPage, server: Site) -> None:
    """Who is signed in is counted; charts can be read by pointer, by key and as a table."""
    wire = await server.wire(CARL)
    page = await operator_page(viewport={"width": 1280, "height": 800})
    tile = page.locator(".tile", has_text="signed in")
    await expect(tile.locator("b")).to_have_text("1")
    await expect(page.locator(".tile", has_text="accounts").locator("b")).to_have_text("4")
    await expect(page.get_by_text(server.tcp.removeprefix("tcp://"))).to_be_visible()
    chart = page.locator(".chart", has_text="Messages").first
    plot = chart.get_by_role("slider", name="Messages (per second)")
    await expect(plot).to_have_attribute("aria-valuetext", "no figures yet")

    await give_trends(page.context)
    await press(page, "24 hours")
    await expect(plot).to_have_attribute("aria-valuetext", re.compile("sent 2 · delivered 2"))
    await plot.focus()
    await plot.press("ArrowLeft")
    await expect(plot).to_have_attribute("aria-valuetext", re.compile("sent 1 · delivered 1"))
    await expect(chart.locator(".readout")).to_contain_text("sent 1")
    assert (await chart.locator(".axis text").all_text_contents())[:5] == [
        "0", "0.5", "1", "1.5", "2",
    ]  # fmt: skip
    line = chart.locator(".plot > svg path.line-0")
    assert (await line.get_attribute("d") or "").count("M") == 2  # once more after the gap
    box = await plot.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] - 11, box["y"] + 60)
    await expect(chart.locator(".readout")).to_contain_text("sent 2")
    await chart.get_by_text("Figures as a table").click()
    table = chart.get_by_role("table", name="Messages")
    await expect(table.get_by_role("row")).to_have_count(1 + 23)
    await wire.close()


async def test_suspending_ends_a_session(operator_page: NewPage, server: Site) -> None:
    """Whoever is suspended hears no more; the reason is shown, and that it was done."""
    wire = await server.wire(CARL)
    page = await operator_page(f"people/{CARL}")
    head = page.locator(".person")
    await expect(head).to_contain_text("signed in")
    await press(page, "Suspend")
    await dialog(page).get_by_label("Reason").fill("too loud")
    await press(dialog(page), "Suspend")
    await said(page, "Carl (10003) is suspended.")
    await no_session(wire, CARL)
    await expect(head).to_contain_text("Reason: too loud")
    await press(page, "Resume")
    await press(dialog(page), "Resume")
    await said(page, "can sign in again")
    await expect(head).not_to_contain_text("suspended")
    assert "&RS=0&" in await wire.ask(sign_in_line(CARL))
    await wire.close()
    await page.goto("/operator#deeds")
    row = page.get_by_role("row", name=re.compile("suspend"))
    await expect(row).to_contain_text("reason too loud")
    await expect(row).to_contain_text(str(ANNA))


async def test_people_are_found_made_and_deleted(operator_page: NewPage, server: Site) -> None:
    """The list grows by pages; number and nickname are sought; a number must be typed to delete."""
    for uin in range(10101, 10161):
        add_person(server.server.store, uin, f"extra {uin}")
    page = await operator_page("people")
    rows = page.locator("main .list a.row")
    await expect(rows).to_have_count(50)
    await press(page, "Show more")
    await expect(rows).to_have_count(64)
    await page.get_by_label("Search by number or nickname").fill("dora")
    await expect(rows).to_have_count(1)
    await press(page, "Add an account")
    form = dialog(page)
    await form.get_by_label("Nickname").fill("Eve")
    await form.get_by_label("Password").fill("a long word")
    await form.get_by_label("Number").fill("12x")
    await press(form, "Add")
    await expect(form.get_by_role("alert")).to_contain_text("“12x” is no number")
    await form.get_by_label("Number").fill("10777")
    await press(form, "Add")
    await expect(page.locator("h1")).to_have_text("Eve")
    assert page.url.endswith("#people/10777")
    await press(page, "Add a friend")
    await dialog(page).get_by_label("Number").fill(str(DORA))
    await press(dialog(page), "Add a friend")
    await expect(page.get_by_role("heading", name="Friends (1)")).to_be_visible()
    await press(page, "Add a phone")
    await dialog(page).get_by_label("Name").fill("blue")
    await press(dialog(page), "Add")
    await expect(dialog(page)).to_contain_text("Password of “blue”")
    password = await code_box(page, "Password").input_value()
    await press(dialog(page), "Close")
    await expect(page.get_by_role("button", name="Revoke: blue")).to_be_visible()
    assert password not in await page.content()
    await press(page, "Delete")
    yes = dialog(page).get_by_role("button", name="Delete")
    await expect(yes).to_be_disabled()
    await dialog(page).get_by_label("Type 10777 to confirm").fill("10777")
    await yes.click()
    await said(page, "Eve (10777) was deleted.")
    assert server.server.store.account(10777) is None


@pytest.mark.settings(registration="invitation", captcha="never")
async def test_an_invitation_is_made_and_used(operator_page: NewPage, server: Site) -> None:
    """The code is shown once, is of use to somebody, and has then one use less."""
    page = await operator_page("invitations")
    await press(page, "Make an invitation")
    await dialog(page).get_by_label("How many people").fill("3")
    await dialog(page).get_by_label("Note").fill("for class 5b")
    await press(dialog(page), "Make an invitation")
    code = await code_box(page, "Code").input_value()
    link = await code_box(page, "Link for browsers").input_value()
    assert link == f"{server.url}/#invitation={code.replace(' ', '')}"
    await press(dialog(page), "Close")
    row = page.get_by_role("row", name=re.compile("for class 5b"))
    await expect(row.get_by_role("cell").nth(1)).to_have_text("3")
    assert code not in await page.content()
    joined = await page.context.request.post(
        "/api/sign-up",
        data={"nick": "Eve", "password": "a long word", "code": code},
        headers={"Origin": server.url},
    )
    assert joined.status == 201
    await page.goto("/operator")
    assert await page.locator("h1").inner_text() == f"{(await joined.json())['uin']} is no operator"
    assert [one.uses for one in server.server.store.invitations()] == [2]


async def test_why_somebody_could_not_sign_in(operator_page: NewPage, server: Site) -> None:
    """Step by step, with advice, in both languages; and whoever is signed in is said to be."""
    wire = Wire(await open_transport(Address.parse(server.tcp)))
    await wire.ask(sign_in_line(BO, password="0" * 32))
    await wire.close()
    page = await operator_page("diagnosis")
    await page.get_by_label("Number or address").fill(str(BO))
    await page.get_by_label("Number or address").press("Enter")
    await expect(page.locator(".steps li").nth(1)).to_contain_text("the password is wrong")
    await expect(page.locator(".note.warn")).to_contain_text("type it again")
    await page.get_by_label("Language").select_option("zh")
    await expect(page.locator(".note.warn")).to_contain_text("密码错误；请重新输入")
    await page.get_by_label("语言").select_option("en")
    wire = await server.wire(BO)
    await press(page, "Look")
    await expect(page.locator(".note.good")).to_contain_text(f"{BO} is signed in from 127.0.0.1")
    await page.goto("/operator#diagnosis/nobody")
    await expect(page.get_by_role("alert")).to_contain_text("neither a number nor an address")
    await wire.close()


async def test_the_wire_shows_lines_without_secrets(operator_page: NewPage, server: Site) -> None:
    """Lines go by, filtered and explained; texts only if asked for, which is noted."""
    page = await operator_page("wire")
    await expect(page.locator(".state")).to_have_text("live")
    anna, bo = await server.wire(CARL), await server.wire(BO)
    words = "the secret words"
    await anna.say(request("CLTMSG", CARL, f"UN={BO}&MG={words}"))
    lines = page.get_by_role("listbox").get_by_role("option")
    await expect(lines.filter(has_text="Server_Msg")).to_have_count(1)
    whole = await page.locator("main").inner_text()
    assert "CMD=Login" in whole
    assert MD5 not in whole
    assert words not in whole
    await lines.filter(has_text="CMD=CLTMSG").first.click()
    detail = page.get_by_role("complementary", name="The line, explained")
    await expect(detail).to_contain_text("Send a message to a friend.")
    await expect(detail).to_contain_text(f"•••{len(words)}")
    await page.get_by_role("listbox").press("ArrowUp")
    await expect(detail).not_to_contain_text("Send a message to a friend.")

    await press(page, "Pause")
    await bo.say(request("CLTMSG", BO, f"UN={CARL}&MG=1"))
    await expect(page.get_by_role("button", name=re.compile("^Go on .* waiting"))).to_be_visible()
    before = await lines.count()
    await page.get_by_role("button", name=re.compile("^Go on")).click()
    await expect(lines).not_to_have_count(before)

    await press(page, "Show texts")
    await press(dialog(page), "Show texts")
    await expect(page.locator(".note.warn", has_text="Texts of messages")).to_be_visible()
    await expect(page.locator(".state")).to_have_text("live")
    await press(page, "Clear")
    await expect(lines).to_have_count(0)
    await page.get_by_label("Number").fill(str(CARL))
    await page.get_by_label("Way").select_option("out")
    await page.wait_for_url(f"**#wire?uin={CARL}")
    await bo.say(request("CLTMSG", BO, f"UN={CARL}&MG={EVIL}", seq=300))
    await expect(lines.filter(has_text="onerror")).to_have_count(1)
    assert await lines.filter(has_text="CMD=CLTMSG").count() == 0
    await lines.filter(has_text="onerror").click()
    await expect(detail).to_contain_text("<img src=x")
    await nothing_ran(page)
    await page.goto("/operator#deeds")
    await expect(page.get_by_role("cell", name="watch texts")).to_be_visible()
    await anna.close()
    await bo.close()


async def test_what_a_role_may_not_do_is_not_shown(new_page: NewPage, server: Site) -> None:
    """An observer looks only; a moderator does nothing to who has as much to say."""
    await appoint(server, ANNA, Role.ADMINISTRATOR)
    await appoint(server, BO, Role.OBSERVER)
    page = await new_page("/operator#people/10004", uin=BO)
    await expect(page.locator("h1")).to_have_text("Dora")
    names = await page.locator("main").get_by_role("button").all_text_contents()
    assert names == []
    menu = page.get_by_role("navigation")
    assert await menu.get_by_role("link", name="Announce").count() == 0
    assert await menu.get_by_role("link", name="Wire").count() == 0
    await page.goto("/operator#wire")
    await expect(page.locator("main")).to_contain_text("Your role, observer, does not let you")
    await page.goto("/operator#limits")
    await expect(page.locator(".setting").first).to_be_visible()
    assert await page.locator("main").get_by_role("button").count() == 0

    await appoint(server, BO, Role.MODERATOR)
    await page.goto("/operator#people/10004")
    await page.reload()
    await expect(page.locator("main").get_by_role("button")).to_have_text(["Suspend"])
    await page.goto(f"/operator#people/{ANNA}")
    await expect(page.locator("h1")).to_have_text("Anna")
    assert await page.locator("main").get_by_role("button").count() == 0
    await server.server._operators.remove(BO)
    await page.goto("/operator#sessions")
    await expect(page.locator("h1")).to_have_text(f"{BO} is no operator")


async def test_roles_are_those_of_the_server(library: Library) -> None:
    """The page offers of all actions just those that the server lets a role do."""
    offered = await library(
        "operator/access.js",
        "({ ROLES, may }, names) => ROLES.map((role) => names.filter((one) => may(role, one)))",
        [name for name, action in ACTIONS.items() if not action.local],
    )
    assert offered == [
        [name for name, action in ACTIONS.items() if not action.local and role.covers(action.role)]
        for role in Role
    ]


def bounds(action: str, argument: str) -> Any:
    """Return what an argument may be at most, where it may be None, too."""
    kind = ACTIONS[action].parameters[argument].kind
    found = [bounds_of(one) for one in (kind, *get_args(kind))]
    return next(one.high for one in found if one is not None)


async def test_bounds_are_those_of_the_server(library: Library) -> None:
    """What can be typed is just as long, or as much, as the server takes."""
    most = await library("operator/bounds.js", "({ MOST }) => MOST")
    assert most["device.add"] == {"name": devices.LONGEST_NAME}
    assert most["token.add"] == {"name": operators.LONGEST_NAME, "days": operators.MOST_DAYS}
    assert most == {
        action: {argument: bounds(action, argument) for argument in arguments}
        for action, arguments in most.items()
    }


async def test_a_text_is_copied_over_plain_http(operator_page: NewPage) -> None:
    """There browsers have no clipboard for programs; it is copied as it was before."""
    page = await operator_page("operators")
    await page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    await page.evaluate(
        """addEventListener("copy", () => {
          window.copied = document.activeElement.value;
        }, { capture: true })"""
    )
    await press(page, "Add a token")
    await expect(dialog(page).get_by_label("Name")).to_have_attribute("maxlength", "32")
    await dialog(page).get_by_label("Name").fill("graph")
    await press(dialog(page), "Add")
    token = await dialog(page).get_by_label("Token", exact=True).input_value()
    await press(dialog(page), "Copy: Token")
    await said(page, "Copied.")
    assert await page.evaluate("window.copied") == token


async def test_hostile_texts_are_texts(operator_page: NewPage, server: Site) -> None:
    """Nicknames, profiles, reasons and notes with markup are shown as they are."""
    evil = 10666
    add_person(server.server.store, evil, EVIL)
    await server.server.store.change_profile(evil, {"about": EVIL, "city": "</script>"})
    page = await operator_page(f"people/{evil}")
    await expect(page.locator("h1")).to_have_text(EVIL)
    await press(page, "Suspend")
    await expect(dialog(page).locator("h2")).to_have_text(f"Suspend {EVIL} ({evil})?")
    await dialog(page).get_by_label("Reason").fill(EVIL)
    await press(dialog(page), "Suspend")
    await said(page, EVIL)
    await expect(page.locator(".person")).to_contain_text(f"Reason: {EVIL}")
    await page.goto("/operator#people?search=%3Cimg")
    await expect(page.locator("a.row")).to_contain_text(EVIL)
    for view, words in (("deeds", "reason"), (f"diagnosis/{evil}", "is suspended")):
        await page.goto(f"/operator#{view}")
        await expect(page.locator("main")).to_contain_text(words)
        await expect(page.locator("main")).to_contain_text(EVIL)
        await nothing_ran(page)


async def test_an_announcement(operator_page: NewPage, server: Site) -> None:
    """It is shown before, with whom it goes to, and is sent once that is confirmed."""
    wire = await server.wire(CARL)
    page = await operator_page("announce")
    await expect(page.get_by_role("button", name="Announce")).to_be_disabled()
    await page.get_by_label("Text").fill("Tonight at ten")
    await expect(page.locator("main .bubble")).to_have_text("Tonight at ten")
    await press(page, "Announce")
    await expect(dialog(page)).to_contain_text("all 4 accounts")
    await press(dialog(page), "Cancel")
    await page.get_by_label("Some numbers").check()
    numbers = page.get_by_label("Numbers", exact=True)
    await numbers.fill(f"{CARL} 10999")
    await press(page, "Announce")
    await expect(page.get_by_role("alert")).to_have_text("There is no account: 10999")
    await numbers.fill(f"{CARL}, {DORA} {CARL}")
    await press(page, "Announce")
    await press(dialog(page), "Send to 2")
    await said(page, "Sent to 2.")
    assert "MG=Tonight at ten" in await wire.hear()
    await wire.close()


async def test_a_setting_is_changed(operator_page: NewPage, server: Site) -> None:
    """It holds at once, is refused beyond its bounds, and the line for the file is shown."""
    page = await operator_page("limits")
    await page.get_by_label("Find a setting").fill("messages_rate")
    await expect(page.locator(".setting:visible")).to_have_count(2)
    await press(page, "Change: messages_rate")
    value = dialog(page).get_by_label("New value")
    await expect(dialog(page)).to_contain_text("From 0.01 on.")
    await value.fill("-1")
    await value.press("Enter")
    await expect(dialog(page).get_by_role("alert")).to_contain_text("messages_rate")
    await value.fill("2.5")
    await press(dialog(page), "Change")
    await expect(dialog(page).locator("pre")).to_have_text("messages_rate = 2.5")
    await press(dialog(page), "Close")
    assert server.server._config.messages_rate == 2.5
    row = page.locator(".setting", has=page.get_by_role("button", name="Change: messages_rate"))
    await expect(row).to_contain_text("by default 10")


async def test_operators_and_tokens(operator_page: NewPage, server: Site) -> None:
    """A role is given and taken; a token is shown once, works, and is revoked."""
    page = await operator_page("operators")
    await press(page, "Add an operator")
    await dialog(page).get_by_label("Number").fill(str(DORA))
    await dialog(page).get_by_label("Role").select_option("moderator")
    await press(dialog(page), "Add")
    await expect(page.get_by_role("row", name="Dora")).to_contain_text("moderator")
    await press(page, "Remove: Dora")
    await press(dialog(page), "Remove")
    await expect(page.get_by_role("row", name="Dora")).to_have_count(0)
    await press(page, "Remove: Anna")
    await dialog(page).get_by_label(f"Type {ANNA} to confirm").fill(str(ANNA))
    await press(dialog(page), "Remove")
    await expect(dialog(page).get_by_role("alert")).to_contain_text("last administrator")
    await press(dialog(page), "Cancel")
    await press(page, "Add a token")
    await dialog(page).get_by_label("Name").fill("robot")
    await press(dialog(page), "Add")
    token = await code_box(page, "Token").input_value()
    await press(dialog(page), "Close")
    bearer = {"Authorization": f"Bearer {token}"}
    asked = await page.context.request.get("/api/v1/status", headers=bearer)
    assert (await asked.json())["accounts"] == 4
    await press(page, "Revoke: robot")
    await press(dialog(page), "Revoke")
    await expect(page.get_by_text("There are none.")).to_be_visible()
    assert token not in await page.content()


async def test_sessions_are_ended(operator_page: NewPage, server: Site) -> None:
    """Who is signed in is listed, filtered, and can be shown the door."""
    wire, other = await server.wire(CARL), await server.wire(BO)
    page = await operator_page("sessions")
    rows = page.locator("tbody tr")
    await expect(rows).to_have_count(2)
    await page.get_by_label("Show only").fill("carl")
    await expect(rows).to_have_count(1)
    await press(page, f"End the session of Carl ({CARL})?")
    await press(dialog(page), "End session")
    await said(page, "The session of Carl (10003) has ended.")
    await no_session(wire, CARL)
    await expect(page.get_by_text("Nobody is signed in.")).to_be_visible()
    await wire.close()
    await other.close()


async def test_the_first_administrator(new_page: NewPage, server: Site) -> None:
    """The link of the first start makes one, and its code leaves the address at once."""
    code = server.server._operators.first_code()
    page = await new_page(f"/operator#first={code}")
    await expect(page.get_by_role("heading", name="First administrator")).to_be_visible()
    assert "first" not in page.url
    await page.get_by_role("radio").last.check(force=True)
    await page.get_by_role("textbox", name="Number").fill(str(ANNA))
    await page.get_by_role("textbox", name="Password").fill(PASSWORD)
    await page.locator("form button.primary").click()
    await expect(page.locator("h1")).to_have_text("Overview")
    assert server.server._operators.role_of(ANNA) is Role.ADMINISTRATOR
    await press(page, "Sign out")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_whoever_signs_in_comes_where_they_wanted_to(new_page: NewPage, server: Site) -> None:
    """The entrance stands before the view that the address names."""
    await appoint(server, ANNA, Role.OBSERVER)
    page = await new_page("/operator#people/10004")
    await page.get_by_role("textbox", name="Number").fill(str(ANNA))
    await page.get_by_role("textbox", name="Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("Dora")


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_view_on_a_small_phone(
    operator_page: NewPage, server: Site, language: str
) -> None:
    """360 px are enough, everything has a name, and no words are missing."""
    locale = {"en": "en-GB", "zh": "zh-CN"}[language]
    wire = await server.wire(BO)
    page = await operator_page(
        viewport={"width": 360, "height": 740}, locale=locale, color_scheme="dark"
    )
    await give_trends(page.context)
    for view in VIEWS:
        await page.evaluate("(view) => { location.hash = view; }", view)
        await expect(page.locator("main h1")).to_have_count(1)
        await expect(page.locator("[aria-busy]")).to_have_count(0)
        assert await page.evaluate("document.documentElement.scrollWidth") == 360, view
        assert not await page.evaluate(NAMELESS), view
        text = await page.locator("body").inner_text()
        assert not re.search(r"\bop\.\w", text), view
        assert "undefined" not in text
        assert "NaN" not in text
    menu = page.locator(".opener")
    await menu.focus()
    await menu.press("Enter")
    await expect(page.get_by_role("navigation")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("navigation")).to_be_hidden()
    await expect(menu).to_be_focused()
    await wire.close()
