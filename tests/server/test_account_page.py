"""The page on which people change their account, as browsers and phones ask for it."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import pytest

from kqq.protocol.post import HttpResponse, ResponseReader
from kqq.server import account_page
from kqq.server.accounts import make_proof, password_md5
from kqq.server.devices import add_device
from kqq.server.journal_words import describe
from kqq.server.store import Account
from stage import JULIET, MD5, PASSWORD, ROMEO, WAIT, Stage, request, sign_in_line

HOST = "192.0.2.1"
FIELDS = {
    "uin", "password", "who_may_add", "who_may_write", "nick", "age", "sex", "province", "city",
    "about", "new", "again", "submit",
}  # fmt: skip
WRONG = "The number or the password is wrong."
SLOW_DOWN = "Too many tries; wait some minutes."


class Page(HTMLParser):
    """An HTML page as a browser reads it: texts, fields, and what was opened and not closed."""

    def __init__(self, answer: HttpResponse) -> None:
        super().__init__()
        self.status = answer.status
        self.text = answer.body.decode()
        self.values: dict[str, str] = {}
        self.types: dict[str, str | None] = {}
        self.choices: dict[str, list[str]] = {}
        self.form: dict[str, str | None] = {}
        self.told = ""
        self.tags: set[str] = set()
        self._open: list[str] = []
        self._select = ""
        self.feed(self.text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a field, a choice of it, or the form."""
        self.tags.add(tag)
        found = dict(attrs)
        name = found.get("name") or "submit"
        if tag == "input":
            self.values[name] = found.get("value") or ""
            self.types[name] = found.get("type")
        elif tag == "select":
            self._select, self.values[name], self.choices[name] = name, "", []
        elif tag == "option":
            self.choices[self._select].append(found["value"] or "")
            if "selected" in found:
                self.values[self._select] = found["value"] or ""
        elif tag == "form":
            self.form = found
        if tag not in {"input", "br", "meta"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it is the one that was opened last."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note what was wrong."""
        if self._open and self._open[-1] == "b":
            self.told += data


class Visitor:
    """Somebody with a browser, at one address."""

    def __init__(self, stage: Stage, host: str = HOST) -> None:
        self.stage = stage
        self.host = host

    async def ask(self, method: str, body: bytes | None = None) -> HttpResponse:
        """Return the answer to a request on a connection of its own."""
        head = f"{method} /account HTTP/1.1\r\nHost: kqq.example\r\nConnection: close\r\n"
        if body is not None:
            head += f"Content-Length: {len(body)}\r\n"
        link = self.stage.link((self.host, 50000))
        await link.send(head.encode() + b"\r\n" + (body or b""))
        came = b""
        async with asyncio.timeout(WAIT):
            while piece := await link.receive():
                came += piece
        await link.close()
        await self.stage.idle()
        if method == "HEAD":
            came = re.sub(rb"Content-Length: \d+\r\n", b"", came)
        reader = ResponseReader()
        (answer,) = reader.feed(came) + reader.feed(b"")
        return answer

    async def send(self, **fields: str) -> Page:
        """Send the form as browsers do, all fields of it, and return the page that comes."""
        empty = dict.fromkeys(FIELDS - {"submit"}, "")
        sent = {**empty, "uin": str(ROMEO), "password": PASSWORD, **fields}
        return Page(await self.ask("POST", urlencode(sent).encode()))

    async def accepts(self, password: str) -> bool:
        """Return whether Romeo can sign in with this, at another address."""
        wire = self.stage.connect(("198.51.100.9", 5000))
        return "&RS=0&" in await wire.ask(sign_in_line(ROMEO, password=password_md5(password)))

    @property
    def romeo(self) -> Account:
        """What is stored of Romeo."""
        account = self.stage.store.account(ROMEO)
        assert account is not None
        return account

    @property
    def profile(self) -> dict[str, str]:
        """What Romeo says of himself."""
        return self.stage.store.profile(ROMEO)

    @property
    def steps(self) -> str:
        """What the operator is told of Romeo's attempts."""
        found = self.stage.server._services.journal.of_uin(ROMEO)
        lines = [line for attempt in found for line in describe(attempt.as_object())]
        return " ".join(" ".join(lines).split())


@pytest.fixture
async def visitor(tmp_path: Path) -> AsyncIterator[Visitor]:
    """Somebody before a server where nobody can register, with few tries."""
    settings = {"registration": "off", "captcha_failures": 2, "sign_ins_burst": 4.0}
    async with Stage(tmp_path / "data", **settings) as stage:
        stage.add(ROMEO, JULIET)
        yield Visitor(stage)


# --- the form ------------------------------------------------------------------------------------


async def test_form(visitor: Visitor) -> None:
    """Plain HTML in two languages, empty, there even if nobody can register."""
    answer = await visitor.ask("GET")
    assert answer.status == 200
    assert answer.header("Content-Type") == "text/html; charset=UTF-8"
    page = Page(answer)
    assert page.form == {"method": "post", "action": "/account"}
    assert page.values.keys() == FIELDS
    assert {name for name, value in page.values.items() if value} == {"submit"}
    assert {name for name, kind in page.types.items() if kind == "password"} == {
        "password", "new", "again",
    }  # fmt: skip
    assert page.choices == {
        "who_may_add": ["", "anyone", "ask", "nobody"],
        "who_may_write": ["", "friends", "anyone"],
        "sex": ["", "0", "1", "-"],
    }
    assert not page.tags & {"script", "style", "img", "link"}
    assert page.told == ""


async def test_other_methods(visitor: Visitor) -> None:
    """HEAD gets the head; nothing else can be done with it."""
    answer = await visitor.ask("HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert (await visitor.ask("PUT", b"uin=1")).status == 405


# --- what is changed -----------------------------------------------------------------------------


async def test_choices(visitor: Visitor) -> None:
    """Who may add and who may write take effect at once; the rest stays as it was."""
    stage = visitor.stage
    page = await visitor.send(who_may_add="nobody", who_may_write="anyone")
    assert page.status == 200
    assert "Who may add me 谁可以加我: nobody 不允许<br>" in page.text
    assert "Who may write to me 谁可以给我发消息: anyone 任何人<" in page.text
    romeo = visitor.romeo
    assert (romeo.who_may_add, romeo.who_may_write, romeo.nick) == ("nobody", "anyone", "n10001")
    assert visitor.profile == {}
    stage.add(20001)
    stranger = await stage.sign_in(20001)
    assert "&RES=0" in await stranger.ask(request("CLTMSG", 20001, f"UN={ROMEO}&MG=hi"))
    await visitor.send(who_may_write="friends")
    line = request("CLTMSG", 20001, f"UN={ROMEO}&MG=hi", seq=202)
    assert "&RES=1" in await stranger.ask(line)


async def test_profile(visitor: Visitor) -> None:
    """Friends see the nickname and what one says of oneself; `-` removes it; empty is as it was."""
    page = await visitor.send(nick=" 罗密欧 ", age="16", sex="0", province="2", about="a&b <i>")
    assert page.status == 200
    assert "About me 个人说明: a&amp;b &lt;i&gt;" in page.text
    assert "Sex 性别: male 男" in page.text
    assert "i" not in page.tags
    assert visitor.profile == {"age": "16", "sex": "0", "province": "2", "about": "a&b <i>"}
    juliet = await visitor.stage.sign_in(JULIET)
    assert "罗密欧" in await juliet.ask(request("GetInfo", JULIET, f"LV=1&UN={ROMEO}"))
    page = await visitor.send(age="-", sex="-", city="Verona")
    assert "Age 年龄: removed 已删除" in page.text
    assert "Sex 性别: removed 已删除" in page.text
    assert visitor.profile == {"province": "2", "about": "a&b <i>", "city": "Verona"}
    assert visitor.romeo.nick == "罗密欧"


async def test_nickname_cannot_be_removed(visitor: Visitor) -> None:
    """Nobody is without one, so there the sign is a name."""
    await visitor.send(nick="-")
    assert visitor.romeo.nick == "-"


async def test_longest_form(visitor: Visitor) -> None:
    """Whatever fits into the fields fits into a form."""
    sign = "\U0001f600"
    short, about = dict.fromkeys(("age", "province", "city"), sign * 32), sign * 256
    page = await visitor.send(nick=sign * 64, about=about, **short)
    assert page.status == 200
    assert visitor.profile["about"] == about


async def test_new_password(visitor: Visitor) -> None:
    """The session ends, the old password is worth nothing, the new one signs in."""
    wire = await visitor.stage.sign_in(ROMEO)
    juliet = await visitor.stage.sign_in(JULIET)
    wire.waiting()
    page = await visitor.send(new="p4ss&=+ 密", again="p4ss&=+ 密", nick="Romeo")
    assert page.status == 200
    assert "sign in again with the new one" in page.text
    assert "Nickname 昵称: Romeo" in page.text
    assert "p4ss" not in page.text
    await visitor.stage.idle()
    assert juliet.waiting()[-1].endswith("&ST=20&UN=10001")
    assert "&RES=20" in await wire.ask(request("List", ROMEO))
    assert not await visitor.accepts(PASSWORD)
    assert await visitor.accepts("p4ss&=+ 密")
    assert "the password was changed" in visitor.steps


async def test_session_stays_without_new_password(visitor: Visitor) -> None:
    """Whoever changes anything else stays signed in."""
    wire = await visitor.stage.sign_in(ROMEO)
    await visitor.send(age="16")
    assert "&RES=0" in await wire.ask(request("List", ROMEO))


async def test_password_of_a_device(visitor: Visitor) -> None:
    """It changes the profile, but not the password: who finds a phone cannot keep the account."""
    store, stage = visitor.stage.store, visitor.stage
    password = await add_device(store, ROMEO, "6230", stage.clock.date(), stage.random)
    page = await visitor.send(password=password, new="other", again="other", age="16")
    assert page.status == 403
    assert page.told.startswith("The password of a phone cannot change the password")
    assert visitor.profile == {}
    assert (await visitor.send(password=password, age="16")).status == 200
    assert visitor.profile == {"age": "16"}
    assert await visitor.accepts(PASSWORD)


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "Say what to change."),
        ({"uin": ""}, "Type your number, digits only."),
        ({"uin": "1000l"}, "Type your number, digits only."),
        ({"uin": "9" * 11}, "Type your number, digits only."),
        ({"nick": "a" * 65}, "Take a nickname of 1 to 64 characters."),
        ({"nick": "a\u202eb"}, "Take a nickname of 1 to 64 characters."),
        ({"who_may_add": "friends"}, "This cannot be taken: Who may add me."),
        ({"who_may_write": "-"}, "This cannot be taken: Who may write to me."),
        ({"about": "a" * 257}, "This cannot be taken: About me."),
        ({"city": "a\nb"}, "This cannot be taken: City."),
        ({"new": "other"}, "The two passwords differ."),
        ({"again": "other"}, "The two passwords differ."),
        ({"new": "a" * 17, "again": "a" * 17}, "Take a password of 1 to 16 characters."),
        ({"nick": "a" * 20000}, "This form cannot be read."),
        (dict.fromkeys("abcdefghijk", ""), "This form cannot be read."),
    ],
)  # fmt: skip
async def test_what_was_typed_wrong(visitor: Visitor, fields: dict[str, str], told: str) -> None:
    """It is told in two languages, and nothing is changed; it costs no try."""
    before = visitor.romeo
    if fields and "uin" not in fields:
        fields = {"age": "16", **fields}
    page = await visitor.send(**fields)
    assert page.status == 400
    assert page.told.startswith(told)
    assert re.search("[一-龥]", page.told)
    assert visitor.profile == {}
    assert visitor.romeo == before
    assert visitor.stage.server._services.limits.failures.has(HOST, 4)


async def test_what_is_no_utf_8(visitor: Visitor) -> None:
    """A form in another coding would give what nobody can read."""
    body = f"uin={ROMEO}&password=secret&age=%ff".encode()
    assert (await visitor.ask("POST", body)).status == 400


async def test_what_was_typed_stays(visitor: Visitor) -> None:
    """It need not be typed again; passwords are never sent back. Nothing is HTML."""
    about = '"><script>alert(1)</script>&amp;'
    page = await visitor.send(
        about=about, who_may_add="ask", sex="1", password="abcxyz", new="defxyz", again="ghixyz"
    )
    assert page.values["about"] == about
    assert page.values["uin"] == str(ROMEO)
    assert (page.values["who_may_add"], page.values["sex"]) == ("ask", "1")
    assert page.values["who_may_write"] == ""
    assert "script" not in page.tags
    assert "xyz" not in page.text
    page = await visitor.send(uin='"><script>', about="<script>")
    assert "script" not in page.tags
    assert "<script>" in unescape(page.text)


async def test_wrong_passwords(visitor: Visitor) -> None:
    """They count as at a sign-in: then a picture is wanted, which a page cannot show."""
    for _ in range(2):
        page = await visitor.send(password="guess", age="16")
        assert (page.status, page.told[: len(WRONG)]) == (403, WRONG)
    page = await visitor.send(age="16")
    assert (page.status, page.told[: len(SLOW_DOWN)]) == (429, SLOW_DOWN)
    assert visitor.profile == {}
    assert visitor.steps.count("no KQQ: POST /account") == 3
    assert visitor.steps.count("the password is wrong") == 2
    assert "a limit: a picture must be read first" in visitor.steps
    wire = visitor.stage.connect((HOST, 5000))
    assert "CMD=VERIFYCODE" in await wire.ask(sign_in_line(ROMEO))
    visitor.stage.clock.advance(3600.0)
    assert (await visitor.send(age="16")).status == 200


async def test_unknown_numbers(visitor: Visitor) -> None:
    """The words are those of a wrong password; an address has so many tries."""
    for uin in range(99, 103):
        page = await visitor.send(uin=str(uin), age="16")
        assert (page.status, page.told[: len(WRONG)]) == (403, WRONG)
    page = await visitor.send(uin="103", age="16")
    assert (page.status, page.told[: len(SLOW_DOWN)]) == (429, SLOW_DOWN)
    page = await visitor.send(age="16")
    assert (page.status, page.told[: len(SLOW_DOWN)]) == (429, SLOW_DOWN)
    assert "too many sign-ins from this address failed" in visitor.steps
    assert (await Visitor(visitor.stage, "192.0.2.2").send(age="16")).status == 200


async def test_too_many_for_one_number(visitor: Visitor) -> None:
    """Guesses from many addresses end, too; who signed in lately is not concerned."""
    stage = visitor.stage
    assert (await visitor.send(age="16")).status == 200
    stage.server._services.limits.account_failures.owe(str(ROMEO), 1000)
    assert (await visitor.send(password="guess", age="17")).status == 429
    assert "too many sign-ins with this number failed" in visitor.steps
    assert (await visitor.send(age="18")).status == 200


async def test_too_many_changes(visitor: Visitor) -> None:
    """Each is a command of the account."""
    limits = visitor.stage.server._services.limits
    limits.commands.owe(ROMEO, visitor.stage.config.commands_burst)
    page = await visitor.send(age="16")
    assert (page.status, page.told[: len(SLOW_DOWN)]) == (429, SLOW_DOWN)
    assert "too many commands of this account" in visitor.steps
    assert visitor.profile == {}


async def test_pictures_always(tmp_path: Path) -> None:
    """Where everybody must read a picture, those can come who have just done so."""
    async with Stage(tmp_path / "data", captcha="always") as stage:
        stage.add(ROMEO)
        visitor = Visitor(stage)
        page = await visitor.send(age="16")
        assert page.status == 429
        assert page.told.startswith("Sign in with your phone from here first")
        stage.server._services.captchas.succeeded(ROMEO, HOST)
        assert (await visitor.send(age="16")).status == 200


async def test_suspended(visitor: Visitor) -> None:
    """Only who knows the password learns of it; nothing is changed."""
    await visitor.stage.store.change_account(ROMEO, suspended="spam")
    assert (await visitor.send(password="guess", age="16")).told.startswith(WRONG)
    page = await visitor.send(age="16")
    assert page.status == 403
    assert page.told.startswith("This account is suspended.")
    assert visitor.profile == {}
    assert "the account is suspended: spam" in visitor.steps


async def test_busy(visitor: Visitor) -> None:
    """A server that has much to do says so, at the check and at the new password."""
    stage = visitor.stage
    assert (await visitor.send(age="15")).status == 200  # known from now on
    stage.server._checks._most = lambda: 0
    page = await visitor.send(new="other", again="other")
    assert (page.status, page.told[:18]) == (503, "The server is busy")
    page = await visitor.send(uin=str(JULIET), age="16")
    assert (page.status, page.told[:18]) == (503, "The server is busy")
    assert "too many passwords were waiting" in visitor.steps
    stage.server._checks._most = lambda: 10
    assert await visitor.accepts(PASSWORD)


async def test_operator_is_quicker(visitor: Visitor) -> None:
    """A password that was replaced meanwhile changes nothing any more."""
    stage = visitor.stage
    await visitor.send(age="16")  # known from now on, so only the new one takes time
    operators = make_proof(password_md5("operator"), b"salt")
    sending = asyncio.create_task(visitor.send(new="other", again="other", age="17"))
    await stage.password_is_being_checked()
    await stage.store.change_account(ROMEO, proof=operators)
    page = await sending
    assert (page.status, page.told[: len(WRONG)]) == (403, WRONG)
    assert visitor.romeo.proof == operators
    assert visitor.profile == {"age": "16"}


async def test_going_away(visitor: Visitor) -> None:
    """Whoever does not wait for the answer has failed: else checks would cost nothing."""
    stage = visitor.stage
    await stage.slow_down(ROMEO)
    body = urlencode({"uin": ROMEO, "password": "guess", "age": "16"}).encode()
    head = f"POST /account HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    link = stage.link((HOST, 50000))
    await link.send(head.encode() + body)
    await stage.password_is_being_checked()
    link.reset()
    await stage.idle()
    limits = stage.server._services.limits
    assert limits.failures.has(HOST, 3)
    assert not limits.failures.has(HOST, 4)
    assert len(limits.account_failures) == 1


async def test_going_away_while_it_is_written(visitor: Visitor) -> None:
    """Whoever does not wait for the answer is signed out all the same."""
    stage = visitor.stage
    wire = await stage.sign_in(ROMEO)
    body = urlencode({"uin": ROMEO, "password": PASSWORD, "new": "other", "again": "other"})
    head = f"POST /account HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    link = stage.link((HOST, 50000))
    await link.send(head.encode() + body.encode())
    async with asyncio.timeout(WAIT):
        while not stage.server._database._is_writing:  # noqa: ASYNC110  # a turn of the loop each
            await asyncio.sleep(0)
    link.reset()
    await stage.idle()
    assert await visitor.accepts("other")
    assert "&RES=20" in await wire.ask(request("List", ROMEO))


async def test_full_disk(visitor: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    """What went wrong is in the log, not on the page."""
    visitor.stage.server._database.execute(
        "CREATE TRIGGER full BEFORE INSERT ON profile BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    page = await visitor.send(age="16")
    assert page.status == 503
    assert page.told.startswith("The server failed; try again later.")
    assert "no room" not in page.text
    assert "no room" in caplog.text


# --- secrets, and phones -------------------------------------------------------------------------


async def test_log(visitor: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    """Who changed what from where is logged; no password, neither there nor for the operator."""
    caplog.set_level(logging.DEBUG, "kqq")
    await visitor.send(password="correct-horse", new="battery-stapl", again="battery-stapl")
    await visitor.send(new="battery-stapl", again="battery-stapl", age="16")
    await visitor.ask("POST", b"password=correct-horse&new=battery-stapl")
    messages = [record.getMessage() for record in caplog.records]
    assert f"change refused host={HOST} uin={ROMEO} status=403" in messages
    assert f'account changed host={HOST} uin={ROMEO} what="age new password"' in messages
    known = caplog.text + visitor.steps
    for secret in (PASSWORD, "correct-horse", "battery-stapl"):
        assert secret not in known
        assert password_md5(secret) not in known.lower()


async def test_phone_that_posts_there(visitor: Visitor) -> None:
    """Any path is good for a command, this one, too; nothing and nonsense are as elsewhere."""
    answer = await visitor.ask("POST", sign_in_line(ROMEO).encode())
    assert b"&RS=0&" in answer.body
    message = request("CLTMSG", ROMEO, f"UN={JULIET}&MG=a&nick=b&password=c")
    answer = await visitor.ask("POST", message.encode())
    assert answer.body == b"VER=1.1&CMD=CLTMSG&SEQ=201&UIN=10001&RES=0\r\n"
    nothing = await visitor.ask("POST", b"")
    assert (nothing.status, nothing.body) == (200, b"")
    assert MD5 not in answer.body.decode()


@pytest.mark.parametrize(
    ("body", "is_form"),
    [
        (b"uin=x", True),
        (b"new=x&again=x", True),
        (b"uin=1&CMD=Login", False),
        (b"VER=1.4&UIN=10001", False),
        (b"", False),
    ],
)
def test_what_is_a_form(body: bytes, is_form: bool) -> None:
    """It has a field of the form and no command; names are as the form has them."""
    assert account_page.is_form(body) == is_form
