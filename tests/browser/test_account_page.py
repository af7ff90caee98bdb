"""The account page, and the way in that all pages share, in Chromium against a real server."""

import json
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from kqq.client import Address, open_transport
from kqq.server.accounts import password_md5
from kqq.server.invitations import invite
from kqq.server.journal import Step
from stage import PASSWORD, Wire, request, sign_in_line

playwright = pytest.importorskip("playwright.async_api")
expect = playwright.expect
expect.set_options(timeout=10_000)
if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

NewPage = Callable[..., Awaitable["Page"]]
BLANK = "/api/hello"
"""Something of the server's origin, under its policy, without a page of ours."""
ANNA, CARL = 10001, 10003
NARROW = {"width": 360, "height": 740}
PARTS = ("profile", "reach", "phones", "sessions", "why", "password", "leave")
HOSTILE = "<img src=x onerror=alert(1)>"


def letters_of(site: Any, uin: int) -> str:
    """Return what the picture shows that a sign-in of `uin` must read."""
    waiting = site.server._services.captchas._waiting
    letters = next(waiting[key].letters for key in waiting if key[0] == uin)
    assert letters is not None
    return str(letters)


def letters_for_newcomers(site: Any) -> str:
    """Return what the picture shows that was drawn last for somebody who signs up."""
    door: Any = site.server._web_door
    route = next(one for one in door._routes if one.path == "/api/captcha")
    challenges = route.handler.__self__._challenges
    return str(next(reversed(challenges._waiting.values())).letters)


async def fill(page: "Page", **values: str) -> None:
    """Type into the fields of these names that can be seen."""
    for name, value in values.items():
        await page.locator(f":is(input, select, textarea)[name={name}]:visible").fill(value)


async def press(page: "Page", name: str, *, within: str = "body") -> None:
    """Press the button of this name."""
    await page.locator(within).get_by_role("button", name=name, exact=True).click()


def wrong(page: "Page", name: str) -> "Locator":
    """Return what stands under a field about what is wrong with it."""
    return page.locator(".field", has=page.locator(f"input[name={name}]:visible")).locator(".wrong")


async def sign_in(page: "Page", uin: int, password: str = PASSWORD) -> None:
    """Fill the form to sign in and send it."""
    await fill(page, uin=str(uin), password=password)
    await press(page, "Sign in", within="form[name=sign-in]")


async def phone(site: Any, uin: int, password: str) -> tuple[Wire, str]:
    """Return a raw connection that has tried to sign in, and the answer."""
    wire = Wire(await open_transport(Address.parse(site.tcp)))
    return wire, await wire.ask(sign_in_line(uin, password=password_md5(password).upper()))


async def is_out(wire: Wire) -> bool:
    """Whether a phone that was signed in is told that it is not any more."""
    return "&RES=20&" in await wire.ask(request("GetInfo", ANNA, f"UN={ANNA}&LV=2")) + "&"


@pytest_asyncio.fixture(loop_scope="session")
async def anna(new_page: NewPage) -> AsyncIterator["Page"]:
    """The account page of Anna, in English, wide."""
    yield await new_page("/account", uin=ANNA)


# --- the way in ----------------------------------------------------------------------------------


async def test_wrong_and_right_sign_in(new_page: NewPage, complaints: Any) -> None:
    """What is wrong is said beside the field, which has the focus; then the account is there.

    A server that gives out no numbers offers none, and one that cannot be reached is told of.
    """
    page = await new_page("/account#invitation=abc")
    await press(page, "Sign in")
    await expect(page.get_by_role("button", name="Sign up")).to_have_count(0)
    await expect(wrong(page, "uin")).to_have_text("Type your number.")
    await expect(page.locator("[name=uin]")).to_be_focused()
    await sign_in(page, 12)
    await expect(wrong(page, "uin")).to_contain_text("five to ten digits")
    await sign_in(page, ANNA, "nonsense")
    await expect(wrong(page, "password")).to_have_text("The number or the password is wrong.")
    await expect(page.locator("[name=password]")).to_have_attribute("aria-invalid", "true")
    complaints.allowed.append("ERR_INTERNET_DISCONNECTED")
    await page.context.set_offline(True)
    await sign_in(page, ANNA)
    await expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    await page.context.set_offline(False)
    await press(page, "Sign in")
    await expect(page.get_by_role("heading", name="Profile")).to_be_visible()
    await expect(page.get_by_role("navigation")).to_contain_text("Anna")


async def test_letters_are_asked_for_after_failures(new_page: NewPage, server: Any) -> None:
    """The picture comes when the server asks; another can be had; its letters let one in."""
    page = await new_page("/account")
    for _ in range(4):
        async with page.expect_response("**/api/sign-in"):
            await sign_in(page, ANNA, "nonsense")
    picture = page.get_by_role("img", name="Picture with letters")
    await expect(picture).to_be_visible()
    await expect(wrong(page, "letters")).to_contain_text("Type the letters")
    shown = await picture.get_attribute("src")
    await press(page, "Another picture")
    await expect(picture).not_to_have_attribute("src", str(shown))
    await fill(page, letters="nope")
    await sign_in(page, ANNA)
    await expect(wrong(page, "letters")).to_contain_text("not the letters")
    await fill(page, letters=letters_of(server, ANNA).lower())
    await sign_in(page, ANNA)
    await expect(page.get_by_role("heading", name="Profile")).to_be_visible()


async def test_password_of_a_phone_opens_no_page(new_page: NewPage, server: Any) -> None:
    """It is said that it is one, since nobody would guess; and so is why a number is suspended."""
    owner = await new_page("/account#phones", uin=ANNA)
    await fill(owner, name="Nokia")
    await press(owner, "Make a password")
    password = await owner.locator(".setting.code .value").inner_text()
    page = await new_page("/account")
    await sign_in(page, ANNA, password)
    await expect(wrong(page, "password")).to_contain_text("one of your phones")
    server.server.store.change_account(CARL, suspended=HOSTILE)
    await sign_in(page, CARL)
    await expect(page.get_by_role("alert").filter(has_text="suspended")).to_contain_text(HOSTILE)


@pytest.mark.settings(registration="open")
async def test_sign_up_with_captcha(new_page: NewPage, server: Any) -> None:
    """A number is given for right letters, shown large, and signed in; the advice is honest."""
    page = await new_page("/account", viewport=NARROW)
    await press(page, "Sign up")
    await expect(page.locator(".note")).to_contain_text("others on the way can read")
    await expect(page.get_by_role("img", name="Picture with letters")).to_be_visible()
    await fill(page, nick=f"  {HOSTILE} ", password="a long one", again="another")
    await press(page, "Sign up", within="form")
    await expect(wrong(page, "again")).to_have_text("The two passwords differ.")
    await fill(page, again="a long one", letters="nope")
    await press(page, "Sign up", within="form")
    await expect(wrong(page, "letters")).to_contain_text("not the letters")
    await fill(page, letters=letters_for_newcomers(server))
    await press(page, "Sign up", within="form")
    await expect(page.get_by_role("heading", name=f"Welcome, {HOSTILE}")).to_be_focused()
    number = int(await page.locator("output").inner_text())
    account = server.server.store.account(number)
    assert account is not None
    assert account.nick == HOSTILE
    await press(page, "I have it, go on")
    await expect(page.get_by_role("navigation").locator(".name").first).to_have_text(HOSTILE)


@pytest.mark.settings(registration="invitation", captcha="never")
async def test_sign_up_with_an_invitation(new_page: NewPage, server: Any) -> None:
    """A link with the code opens the form with it; a bad code is said beside its field."""
    code = await invite(server.server.store, os.urandom, time.time())
    page = await new_page("/account#invitation=nonsense")
    await expect(page.locator("[name=code]")).to_have_value("nonsense")
    await fill(page, nick="Escalus", password="secret", again="secret")
    await press(page, "Sign up", within="form")
    await expect(wrong(page, "code")).to_contain_text("not valid")
    await fill(page, code=code)
    await press(page, "Sign up", within="form")
    await expect(page.get_by_role("heading", name="Welcome, Escalus")).to_be_visible()
    assert page.url.endswith("/account")


@pytest.mark.parametrize("is_new", [True, False])
async def test_first_administrator(new_page: NewPage, server: Any, is_new: bool) -> None:
    """The link makes a new number or an existing one administrator, once; then its code is gone."""
    code = server.server.first_link.partition("#first=")[2]
    page = await new_page(f"{BLANK}#first={code}")
    await page.evaluate(ENTRANCE)
    if is_new:
        await fill(page, nick="Escalus", password="secret", again="secret")
        await press(page, "Take a number and begin")
        await press(page, "I have it, go on")
        await expect(page).to_have_title(re.compile(r"\d+ administrator"))
    else:
        await page.get_by_label("My number").check()
        await fill(page, uin=str(ANNA), password="nonsense")
        await press(page, "Become administrator")
        await expect(wrong(page, "password")).to_contain_text("wrong")
        await fill(page, password=PASSWORD)
        await press(page, "Become administrator")
        await expect(page).to_have_title(f"{ANNA} administrator")
    assert page.url.endswith(BLANK)
    await page.goto(f"/account#first={code}")  # this page has no such thing
    await expect(page.get_by_role("heading", name="Profile")).to_be_visible()
    await page.goto(f"{BLANK}#first={code}")
    await page.evaluate(ENTRANCE)
    await fill(page, nick="Paris", password="secret", again="secret")
    await press(page, "Take a number and begin")
    await expect(page.get_by_role("alert")).to_contain_text("not valid any more")


ENTRANCE = """async () => {
  const { entrance } = await import("/static/js/account/entrance.js");
  const onSignedIn = (me) => { document.title = `${me.uin} ${me.role}`; };
  document.body.append(entrance({ onSignedIn }));
}"""


# --- one's account -------------------------------------------------------------------------------


async def test_profile_is_saved_and_seen_again(anna: "Page", server: Any) -> None:
    """What was changed, and only that, is saved; after loading again it is there."""
    page = anna
    await fill(page, nick=HOSTILE, city="Verona\u3000", about="one\ntwo")
    await page.get_by_label("Constellation").select_option(label="Gemini")
    await expect(page.get_by_text("4 changes are not saved")).to_be_visible()
    await press(page, "Choose a face")
    await page.get_by_role("radio", name="Face 13", exact=True).check(force=True)
    await press(page, "Take this one")
    async with page.expect_request("**/api/me") as sent:
        await press(page, "Save", within="#part-profile")
    assert (await sent.value).post_data_json == {
        "values": {
            "nick": HOSTILE, "city": "Verona", "about": "one two", "constellation": "5",
            "face": "36",
        }
    }  # fmt: skip
    await expect(page.locator(".toast")).to_have_text("Saved")
    await expect(page.locator("#part-profile .saving")).to_be_hidden()
    await expect(page.get_by_role("navigation").locator(".name").first).to_have_text(HOSTILE)
    await page.reload()
    await expect(page.locator("[name=city]")).to_have_value("Verona")
    await expect(page.locator("[name=constellation]")).to_have_value("5")
    account = server.server.store.account(ANNA)
    assert account is not None
    assert (account.nick, account.face) == (HOSTILE, 36)


async def test_what_a_profile_cannot_have(anna: "Page") -> None:
    """It is said beside the field, nothing is saved, and the change can be undone.

    Another language loses nothing of what was typed.
    """
    page = anna
    await fill(page, nick=" ")
    await press(page, "Save", within="#part-profile")
    await expect(wrong(page, "nick")).to_have_text("Type a nickname.")
    await fill(page, nick="Anna", email="a\u200eb")
    await press(page, "Save", within="#part-profile")
    await expect(wrong(page, "email")).to_contain_text("printable")
    await press(page, "中文")
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await expect(page).to_have_title("个人资料 · KQQ")
    await expect(page.get_by_role("heading", name="个人资料")).to_be_visible()
    await expect(page.get_by_text("有 1 项修改未保存")).to_be_visible()
    await expect(page.get_by_label("电子邮件")).to_have_value("a\u200eb")
    await expect(wrong(page, "email")).to_contain_text("服务器拒绝了")
    await press(page, "还原", within="#part-profile")
    await expect(page.locator("[name=email]")).to_have_value("")


async def test_who_may_reach_me(anna: "Page", server: Any) -> None:
    """The choices are those of the account, and are changed."""
    page = anna
    await page.get_by_role("link", name="Who may reach me").click()
    await expect(page.get_by_label("Who asks first")).to_be_checked()
    await page.get_by_label("Nobody").check()
    await page.get_by_role("group", name="Who may write to me?").get_by_label("Anyone").check()
    await press(page, "Save", within="#part-reach")
    await expect(page.locator(".toast")).to_have_text("Saved")
    account = server.server.store.account(ANNA)
    assert account is not None
    assert (account.who_may_add, account.who_may_write) == ("nobody", "anyone")


async def test_phone_gets_a_password_and_loses_it(anna: "Page", server: Any) -> None:
    """It is shown once, with all settings; a phone signs in with it; revoking ends that."""
    page = anna
    await page.get_by_role("link", name="Phones").click()
    await fill(page, name=HOSTILE)
    await press(page, "Make a password")
    await expect(page.get_by_role("heading", name=f"Password of {HOSTILE}")).to_be_focused()
    fours = await page.locator(".setting.code .four").all_inner_texts()
    assert [len(four.strip()) for four in fours] == [4, 4, 4, 4]
    password = await page.locator(".setting.code .value").inner_text()
    settings = await page.locator(".settings").inner_text()
    assert server.tcp.rpartition(":")[2] in settings
    assert str(ANNA) in settings
    code = page.get_by_role("img", name="QR code with the settings")
    assert await code.evaluate("(image) => image.decode().then(() => image.naturalWidth > 0)")
    wire, reply = await phone(server, ANNA, password)
    assert "&RES=0&RS=0&" in reply
    await press(page, "I have typed it in")
    await expect(page.locator(".setting")).to_have_count(0)
    await page.reload()
    await expect(page.locator(".things")).to_contain_text("last seen")
    await press(page, f"Revoke the password of {HOSTILE}")
    await press(page, "Revoke", within="dialog")
    await expect(page.get_by_text("No phone has a password yet.")).to_be_visible()
    assert await is_out(wire)
    again, reply = await phone(server, ANNA, password)
    assert "&RS=1" in reply
    for one in (wire, again):
        await one.close()


async def test_copying_works_without_https_too(anna: "Page") -> None:
    """The button copies, and says that it has. A name that is taken is said beside its field."""
    page = anna
    await page.get_by_role("link", name="Phones").click()
    await press(page, "Make a password")
    await expect(wrong(page, "name")).to_have_text("Type a name for the phone.")
    await fill(page, name="Nokia")
    await press(page, "Make a password")
    copy = page.locator(".setting", has_text="Number").get_by_role("button")
    await expect(copy).to_have_accessible_name(re.compile("Copy.*Number"))
    await copy.click()
    await expect(copy).to_contain_text("Copied")
    await press(page, "I have typed it in")
    await page.get_by_label("Name of the phone").fill("")
    await page.keyboard.press("Control+V")
    await expect(page.get_by_label("Name of the phone")).to_have_value(str(ANNA))
    await fill(page, name="Nokia")
    await press(page, "Make a password")
    await expect(wrong(page, "name")).to_contain_text("choose another name")


async def test_sessions_are_shown_and_ended(anna: "Page", new_page: NewPage, server: Any) -> None:
    """The phone's session and the browsers, each with a button that ends it."""
    page, other = anna, await new_page("/account", uin=ANNA)
    wire = await server.wire(ANNA)
    await page.get_by_role("link", name="Where I am signed in").click()
    await expect(page.get_by_text("Phone or program, over TCP")).to_be_visible()
    await expect(page.get_by_text("this one")).to_have_count(1)
    await press(page, "Sign out the phone or chat")
    await press(page, "End", within="dialog")
    await expect(page.get_by_text("You are not signed in on a phone")).to_be_visible()
    assert await is_out(wire)
    await press(page, "Sign out Chrome · Linux at 127.0.0.1")
    await press(page, "Cancel", within="dialog")
    await press(page, "Sign out Chrome · Linux at 127.0.0.1")
    await press(page, "End", within="dialog")
    await expect(page.locator(".things .thing")).to_have_count(1)
    await other.get_by_role("link", name="Where I am signed in").click()
    await expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(other.get_by_role("status").first).to_contain_text("not signed in any more")
    await page.get_by_role("banner").get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await wire.close()


async def test_why_a_phone_could_not_sign_in(anna: "Page", server: Any) -> None:
    """The advice is on top, then the steps in words, in both languages; hostile ones are text."""
    page = anna
    wire, _ = await phone(server, ANNA, "nonsense")
    await wire.close()
    await page.get_by_role("link", name="Why could my phone not sign in?").click()
    await expect(page.locator(".advice-now")).to_contain_text("the password is wrong")
    steps = page.locator(".attempt").first.locator(".step")
    await expect(steps.nth(0)).to_contain_text("connected")
    await expect(steps.nth(1)).to_contain_text("the password is wrong")
    await press(page, "中文")
    await expect(page.locator(".advice-now")).to_contain_text("密码错误")
    await expect(steps.nth(1)).to_contain_text("密码错误")
    signed_in = await server.wire(ANNA)
    await press(page, "刷新")
    await expect(page.locator(".advice-now")).to_contain_text("您的手机已登录")
    await signed_in.close()


async def test_all_steps_have_words(anna: "Page") -> None:
    """Each step of the journal is said in both languages with all its details, and so is `…`."""
    steps: list[dict[str, Any]] = [
        {
            "step": step.name.lower(),
            "details": dict.fromkeys(sorted(step.fields), HOSTILE),
            "count": 3, "first": 0, "last": 90_000,
        }
        for step in Step
    ]  # fmt: skip
    for language in ("en", "zh"):
        said = await anna.evaluate(
            """async ([steps, language]) => {
                const { setLanguage } = await import("/static/js/common/words.js");
                const { stepText } = await import("/static/js/account/why.js");
                setLanguage(language);
                return steps.map(stepText);
            }""",
            [steps, language],
        )
        for step, words in zip(steps, said, strict=True):
            assert "step." not in words
            assert "{" not in words
            assert words.count(HOSTILE) == len(step["details"])
            assert "3" in words
    unknown = await anna.evaluate("""async () => {
        const { stepText } = await import("/static/js/account/why.js");
        return stepText({ step: "beamed", details: { to: "Mars" }, count: 1, first: 0, last: 0 });
    }""")
    assert unknown == "beamed to=Mars"


async def test_password_is_changed(anna: "Page", new_page: NewPage, server: Any) -> None:
    """The old one must be right; this browser stays and can change more, the others go."""
    page, other = anna, await new_page("/account", uin=ANNA)
    await page.get_by_role("link", name="Password", exact=True).click()
    await fill(page, old="nonsense", password="another one", again="another one")
    await press(page, "Change the password")
    await expect(wrong(page, "old")).to_have_text("This is not your password.")
    await fill(page, old=PASSWORD)
    await press(page, "Change the password")
    await expect(page.locator(".toast")).to_have_text("The password is changed")
    await page.get_by_role("link", name="Who may reach me").click()
    await page.get_by_label("Nobody").check()
    await press(page, "Save", within="#part-reach")
    await expect(page.locator(".toast", has_text="Saved")).to_be_visible()
    await other.reload()
    await sign_in(other, ANNA)
    await expect(wrong(other, "password")).to_contain_text("wrong")
    await sign_in(other, ANNA, "another one")
    await expect(other.get_by_role("heading", name="Profile")).to_be_visible()


async def test_export(anna: "Page") -> None:
    """One file from the server, one with the conversations that the browser has."""
    page = anna
    await page.get_by_role("link", name="Export and delete").click()
    async with page.expect_download() as waited:
        await page.get_by_role("link", name="Download the file").click()
    file = await waited.value
    assert file.suggested_filename == f"kqq-{ANNA}.json"
    found = json.loads((await file.path()).read_text())
    assert found["account"]["uin"] == ANNA
    assert found["complete"]
    assert [friend["nick"] for friend in found["friends"]] == ["小波", "Carl"]
    await press(page, "Save this browser's conversations")
    await expect(page.locator(".toast")).to_contain_text("no conversations")
    await page.evaluate(
        """async (uin) => {
        const { History } = await import("/static/js/kqq/history.js");
        const history = await History.open(uin);
        await history.add({id: "1", peer: 10002, own: true, text: "你好", at: 1, state: "sent",
            number: "1", kind: "message", read: true});
        history.close();
    }""",
        ANNA,
    )
    async with page.expect_download() as waited:
        await press(page, "Save this browser's conversations")
    file = await waited.value
    assert file.suggested_filename == f"kqq-{ANNA}-conversations.json"
    saved = json.loads((await file.path()).read_text())
    assert [message["text"] for message in saved["messages"]] == ["你好"]


async def test_delete(anna: "Page", server: Any) -> None:
    """Number and password must be right; then nothing is left, here nor there."""
    page, wire = anna, await server.wire(ANNA)
    await page.get_by_role("link", name="Export and delete").click()
    await fill(page, uin=str(CARL), password=PASSWORD)
    await press(page, "Delete my account for good")
    await expect(wrong(page, "uin")).to_have_text("This is not your number.")
    await fill(page, uin=str(ANNA), password="nonsense")
    await press(page, "Delete my account for good")
    await expect(wrong(page, "password")).to_have_text("This is not your password.")
    await fill(page, password=PASSWORD)
    await press(page, "Delete my account for good")
    await expect(page.get_by_role("status").first).to_contain_text("Farewell")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert await is_out(wire)
    await wire.close()
    assert server.server.store.account(ANNA) is None
    assert ANNA not in server.server.store.friends(CARL)
    assert await page.evaluate("async () => (await indexedDB.databases()).length") == 0


# --- for everybody -------------------------------------------------------------------------------


async def test_fits_and_is_named(new_page: NewPage) -> None:
    """At 360 pixels no part scrolls sideways, in both languages, and what is used has a name."""
    page = await new_page("/account", uin=ANNA, viewport=NARROW)
    await expect(page.get_by_role("navigation")).to_be_visible()
    for part in PARTS:
        await page.locator(f"nav a[data-name={part}]").click()
        await expect(page.locator(f"#head-{part}")).to_be_focused()
        await expect(page.locator("[aria-busy]")).to_have_count(0)
        for tongue in ("English", "中文"):
            if tongue != "English":
                await press(page, tongue)
            assert await page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
            assert await page.evaluate(NAMELESS) == []
            text = await page.inner_text("main")
            assert not re.search(r"\b(account|profile|form|leave|why|step)\.\w", text)
        await press(page, "English")
        await page.go_back()
        await expect(page.get_by_role("navigation")).to_be_visible()


NAMELESS = """() => [...document.querySelectorAll("input, select, textarea, button, a, summary")]
  .filter((one) => one.checkVisibility())
  .filter((one) => !(one.labels?.length || one.getAttribute("aria-label")
    || one.innerText?.trim() || one.getAttribute("aria-hidden")))
  .map((one) => one.outerHTML)"""


async def test_words_are_complete(new_page: NewPage) -> None:
    """Both languages have the same words, with the same places in them."""
    page = await new_page(BLANK)
    found = await page.evaluate("""async () => Object.assign({}, ...await Promise.all(
        ["account/words", "common/step_words", "account/entrance_words", "account/form_words"]
        .map(async (name) => {
            const made = await import(`/static/js/${name}.js`);
            return made;
        })))""")
    assert len(found) == 4
    for words in found.values():
        own = {key for key in words["zh"] if not key.startswith("detail.")}
        assert own == set(words["en"])
        for key, text in words["en"].items():
            places = re.findall(r"\{\w+\}", text)
            assert sorted(places) == sorted(re.findall(r"\{\w+\}", words["zh"][key])), key
