"""The page on which people make themselves an account, as browsers and phones ask for it."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote_plus, urlencode

import pytest

from kqq.protocol.post import HttpResponse, ResponseReader
from kqq.server import register_page
from kqq.server.accounts import password_md5
from kqq.server.admin import Admin, perform
from kqq.server.checks import Checks
from kqq.server.invitations import Registration
from kqq.server.journal_words import describe
from kqq.server.pages import Page as Answer
from kqq.server.store import Store
from stage import JULIET, MD5, ROMEO, WAIT, ManualClock, Stage, request, sign_in_line

HOST = "192.0.2.1"
FIRST = 10003
"""The first number that is free."""


class Page(HTMLParser):
    """An HTML page as a browser reads it: texts, fields, and what was opened and not closed."""

    def __init__(self, answer: HttpResponse) -> None:
        super().__init__()
        self.answer = answer
        self.fields: dict[str, dict[str, str | None]] = {}
        self.form: dict[str, str | None] = {}
        self.headings: list[str] = []
        self.tags: set[str] = set()
        self._open: list[str] = []
        self.feed(answer.body.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a field, or the form."""
        self.tags.add(tag)
        if tag == "input":
            self.fields[dict(attrs).get("name") or "submit"] = dict(attrs)
        elif tag == "form":
            self.form = dict(attrs)
        if tag not in {"input", "br", "meta"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Check that it is the one that was opened last."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a heading."""
        if self._open and self._open[-1] in {"h1", "h3", "b"}:
            self.headings.append(data)

    @property
    def told(self) -> str:
        """What was wrong, or else the number."""
        return self.headings[2]


class Visitor:
    """Somebody with a browser, at one address."""

    def __init__(self, stage: Stage, host: str = HOST) -> None:
        self.stage = stage
        self.host = host

    async def ask(self, method: str, path: str, body: bytes | None = None) -> HttpResponse:
        """Return the answer to a request on a connection of its own."""
        head = f"{method} {path} HTTP/1.1\r\nHost: kqq.example:8000\r\nConnection: close\r\n"
        if body is not None:
            head += "Content-Type: application/x-www-form-urlencoded\r\n"
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
            assert came.endswith(b"\r\n\r\n")
            came = re.sub(rb"Content-Length: \d+\r\n", b"", came)
        reader = ResponseReader()
        (answer,) = reader.feed(came) + reader.feed(b"")
        return answer

    async def get(self) -> Page:
        """Return the form."""
        return Page(await self.ask("GET", "/register"))

    async def send(self, **fields: str) -> Page:
        """Send the form as browsers do, and return the page that comes."""
        sent = {"nick": "Mercutio", "password": "secret", "again": "secret"} | fields
        return Page(await self.ask("POST", "/register", urlencode(sent).encode()))

    async def invite(self, **settings: float) -> str:
        """Return the code of a new invitation."""
        config, server = self.stage.config, self.stage.server
        admin = Admin(
            config, server.store, self.stage.clock, server._random, server._operators,
            server._services,
        )  # fmt: skip
        made = await perform(admin, "account.invite", settings)
        assert isinstance(made, dict)
        return str(made["code"])

    @property
    def numbers(self) -> list[int]:
        """The numbers that were given."""
        return [account.uin for account in self.stage.store.accounts(JULIET)]


@asynccontextmanager
async def visitor_at(folder: Path, registration: str) -> AsyncIterator[Visitor]:
    """Give somebody before a server with this setting."""
    async with Stage(folder, registration=registration, registrations_per_address=2) as stage:
        stage.add(ROMEO, JULIET)
        yield Visitor(stage)


@pytest.fixture
async def invited(tmp_path: Path) -> AsyncIterator[Visitor]:
    """Somebody before a server that takes who is invited."""
    async with visitor_at(tmp_path / "data", "invitation") as visitor:
        yield visitor


@pytest.fixture
async def welcome(tmp_path: Path) -> AsyncIterator[Visitor]:
    """Somebody before a server that takes everybody."""
    async with visitor_at(tmp_path / "data", "open") as visitor:
        yield visitor


@pytest.fixture
async def shut_out(tmp_path: Path) -> AsyncIterator[Visitor]:
    """Somebody before a server that takes nobody."""
    async with visitor_at(tmp_path / "data", "off") as visitor:
        yield visitor


# --- the form ------------------------------------------------------------------------------------


async def test_form(invited: Visitor) -> None:
    """Plain HTML that says what it is in two languages, and fits a phone."""
    page = await invited.get()
    assert page.answer.status == 200
    assert page.answer.header("Content-Type") == "text/html; charset=UTF-8"
    assert page.answer.header("Connection") == "close"
    assert page.answer.header("Cache-Control") == "no-store"
    assert page.form == {"method": "post", "action": "/register"}
    assert list(page.fields) == ["code", "nick", "password", "again", "submit"]
    assert {page.fields[name]["type"] for name in ("password", "again")} == {"password"}
    assert page.headings == ["A number for you", "申请号码"]
    assert not page.tags & {"script", "style", "img", "link"}
    assert len(page.answer.body) < 2000


async def test_form_without_invitation(welcome: Visitor) -> None:
    """Nobody is asked for a code where none is needed."""
    assert "code" not in (await welcome.get()).fields


async def test_head(invited: Visitor) -> None:
    """HEAD gets the head of what GET would."""
    answer = await invited.ask("HEAD", "/register?x=y")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("Content-Type") == "text/html; charset=UTF-8"


@pytest.mark.parametrize(("method", "status"), [("PUT", 405), ("DELETE", 405), ("OPTIONS", 405)])
async def test_other_methods(invited: Visitor, method: str, status: int) -> None:
    """Nothing else can be done with it."""
    assert (await invited.ask(method, "/register")).status == status


@pytest.mark.parametrize("path", ["/register/", "/Register", "/", "/registers"])
async def test_other_paths(invited: Visitor, path: str) -> None:
    """It is at one path only."""
    assert (await invited.ask("GET", path)).status == 404


# --- registering ---------------------------------------------------------------------------------


async def test_invited(invited: Visitor) -> None:
    """The number is shown; then a phone signs in with it, and is seen by its name."""
    code = await invited.invite()
    page = await invited.send(code=code, nick="茂丘西奥", password="p4ss&=+", again="p4ss&=+")
    assert page.answer.status == 200
    assert page.headings == ["Your number", "您的号码", str(FIRST)]
    assert "茂丘西奥" in page.answer.body.decode()
    wire = invited.stage.connect()
    reply = await wire.ask(sign_in_line(FIRST, password=password_md5("p4ss&=+")))
    assert "&RS=0&" in reply
    assert "茂丘西奥" in await wire.ask(request("GetInfo", FIRST, f"LV=1&UN={FIRST}"))


async def test_welcome(welcome: Visitor) -> None:
    """Without a code, each gets the next number."""
    assert (await welcome.send()).told == str(FIRST)
    assert (await welcome.send(code="")).told == str(FIRST + 1)


@pytest.mark.parametrize(
    "body",
    [
        urlencode({"nick": "小 波", "password": "a b", "again": "a b"}).encode(),
        "nick=小+波&password=a%20b&again=a%20b".encode(),
        "again=a+b&submit=OK&password=a+b&nick= 小%20波 \r\n".encode(),
    ],
)
async def test_forms_as_browsers_send_them(welcome: Visitor, body: bytes) -> None:
    """Coded or raw, blanks as `+` or `%20`, fields in any order, a line end after them."""
    assert (await welcome.ask("POST", "/register", body)).status == 200
    account = welcome.stage.store.account(FIRST)
    assert account is not None
    assert account.nick == "小 波"
    wire = welcome.stage.connect()
    assert "&RS=0&" in await wire.ask(sign_in_line(FIRST, password=password_md5("a b")))


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"nick": ""}, "Take a nickname of 1 to 64 characters."),
        ({"nick": "a" * 65}, "Take a nickname of 1 to 64 characters."),
        ({"nick": "a\u202eb"}, "Take a nickname of 1 to 64 characters."),
        ({"again": "Secret"}, "The two passwords differ."),
        ({"password": "", "again": ""}, "Take a password of 1 to 16 characters."),
        ({"password": "a" * 17, "again": "a" * 17}, "Take a password of 1 to 16 characters."),
        (dict.fromkeys("abcdefgh", ""), "This form cannot be read."),
        ({"nick": "a" * 5000}, "This form cannot be read."),
    ],
)  # fmt: skip
async def test_what_was_typed_wrong(invited: Visitor, fields: dict[str, str], told: str) -> None:
    """It is told in two languages above the form; no account is made, no invitation used."""
    code = await invited.invite()
    page = await invited.send(code=code, **fields)
    assert page.answer.status == 400
    assert told in page.told
    assert re.search("[一-龥]", page.told)
    assert invited.numbers == []
    assert [one.uses for one in invited.stage.store.invitations()] == [1]


@pytest.mark.parametrize(
    "body",
    [
        b"nick=%ff&password=x&again=x",
        b"nick=\xd0\xa1\xb2\xa8&password=x&again=x",
        b"nick=x&password=%ZZ",
    ],
)
async def test_what_is_no_utf_8(welcome: Visitor, body: bytes) -> None:
    """A form in another coding would give a name that nobody can read."""
    assert (await welcome.ask("POST", "/register", body)).status == 400
    assert welcome.numbers == []


async def test_what_was_typed_stays(invited: Visitor) -> None:
    """Name and code need not be typed again; passwords are never sent back. Nothing is HTML."""
    nick, code = '"><script>alert(1)</script>&amp;', "<b>' onfocus=x"
    page = await invited.send(nick=nick, code=code, password="secret", again="other")
    assert page.fields["nick"]["value"] == nick
    assert page.fields["code"]["value"] == code
    assert "script" not in page.tags
    text = page.answer.body.decode()
    assert "secret" not in text
    assert 'other"' not in text
    assert escape(nick) in text


async def test_name_is_no_html(welcome: Visitor) -> None:
    """Nor where the number is shown."""
    page = await welcome.send(nick="<script>alert(1)</script>")
    assert page.told == str(FIRST)
    assert "script" not in page.tags
    assert "<script>alert(1)</script>" in unescape(page.answer.body.decode())


async def test_codes_that_are_not_good(invited: Visitor) -> None:
    """Wrong, used, expired, none: the same words, so nobody learns which it is."""
    used, late = await invited.invite(), await invited.invite(days=1)
    await invited.send(code=used)
    invited.stage.clock.advance(86_400.0)
    told = set()
    for code in ("adgj mptw 0123", used, late, "", "<b>"):
        page = await invited.send(code=code)
        assert page.answer.status == 403
        told.add(page.told)
    assert told == {"This invitation cannot be used. 邀请码无效。"}
    assert invited.numbers == [FIRST]


async def test_too_many_of_an_address(welcome: Visitor) -> None:
    """The limit is told, to them and to the operator who asks why; others are not concerned."""
    await welcome.send()
    await welcome.send()
    page = await welcome.send()
    assert page.answer.status == 429
    assert page.told.startswith("Too many from your address today.")
    (attempt,) = welcome.stage.server._services.journal.of_address(HOST)
    words = " ".join(" ".join(describe(attempt.as_object())).split())
    assert "sent an HTTP request that is no KQQ: POST /register (3 times" in words
    assert "was refused by a limit: too many accounts made from this address today" in words
    assert (await Visitor(welcome.stage, "192.0.2.2").send()).answer.status == 200


async def test_busy(store: Store) -> None:
    """A server that has much to do says so, and that it may be tried again."""
    busy = Checks(1, lambda: 0)
    registration = Registration(
        store, ManualClock(), lambda size: b"x" * size, busy,
        policy=lambda: "open", per_address=lambda: 5, lowest=lambda: ROMEO,
        who_may_add=lambda: "ask", who_may_write=lambda: "friends",
    )  # fmt: skip
    body = b"nick=x&password=x&again=x"
    page = await register_page.register(registration, "open", body, HOST)
    busy.close()
    assert page.status == 503
    assert "The server is busy; try again." in page.body.decode()
    assert page.limit


async def test_full_disk(welcome: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    """What went wrong is in the log, not on the page."""
    welcome.stage.server._database.execute(
        "CREATE TRIGGER full BEFORE INSERT ON account BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    page = await welcome.send()
    assert page.answer.status == 503
    assert page.told.startswith("The server failed; try again later.")
    assert b"no room" not in page.answer.body
    assert "no room" in caplog.text
    assert "secret" not in caplog.text


# --- off -----------------------------------------------------------------------------------------


async def test_off(shut_out: Visitor) -> None:
    """There is no page then, and a form that was open before makes nothing."""
    assert (await shut_out.ask("GET", "/register")).status == 404
    assert (await shut_out.ask("HEAD", "/register")).status == 404
    assert (await shut_out.ask("POST", "/register", b"nick=x&password=x&again=x")).status == 404
    assert shut_out.numbers == []


async def test_turned_off_meanwhile(store: Store) -> None:
    """Settings may change between the look at them and the account."""
    checks = Checks(1, lambda: 10)
    registration = Registration(
        store, ManualClock(), lambda size: b"x" * size, checks,
        policy=lambda: "off", per_address=lambda: 5, lowest=lambda: ROMEO,
        who_may_add=lambda: "ask", who_may_write=lambda: "friends",
    )  # fmt: skip
    body = b"nick=x&password=x&again=x"
    page = await register_page.register(registration, "open", body, HOST)
    checks.close()
    assert page == Answer(404, b"")


async def test_form_is_never_read_as_a_line(
    shut_out: Visitor, caplog: pytest.LogCaptureFixture
) -> None:
    """Lines that cannot be read are logged and shown to the operator, passwords must not be."""
    caplog.set_level(logging.DEBUG, "kqq")
    for body in ("nick=x&password=correct-horse&again=correct-horse", "password=correct-horse"):
        await shut_out.ask("POST", "/register", body.encode())
    assert "correct-horse" not in caplog.text
    (attempt,) = shut_out.stage.server._services.journal.of_address(HOST)
    assert "correct-horse" not in str(attempt.as_object())


async def test_log(invited: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    """Who got which number from where is logged; no password, no code."""
    caplog.set_level(logging.DEBUG, "kqq")
    code = await invited.invite()
    await invited.send(code=code, password="correct-horse", again="correct-horse")
    await invited.send(code=code, password="correct-horse", again="correct-horse")
    messages = [record.getMessage() for record in caplog.records]
    assert f"registered host={HOST} uin={FIRST}" in messages
    assert f"registration refused host={HOST} status=403" in messages
    for secret in ("correct-horse", password_md5("correct-horse"), code, code.replace(" ", "")):
        assert secret not in caplog.text
        assert quote_plus(secret) not in caplog.text


# --- phones --------------------------------------------------------------------------------------


@pytest.mark.parametrize("registration", ["off", "invitation", "open"])
async def test_phone_that_posts_there(tmp_path: Path, registration: str) -> None:
    """Any path is good for a command, this one, too; nothing and nonsense are as elsewhere."""
    async with visitor_at(tmp_path, registration) as visitor:
        answer = await visitor.ask("POST", "/register", sign_in_line(ROMEO).encode())
        assert answer.status == 200
        assert b"&RS=0&" in answer.body
        message = request("CLTMSG", ROMEO, f"UN={JULIET}&MG=a&nick=b&password=c")
        answer = await visitor.ask("POST", "/register", message.encode())
        assert answer.body == b"VER=1.1&CMD=CLTMSG&SEQ=201&UIN=10001&RES=0\r\n"
        nothing = await visitor.ask("POST", "/register", b"")
        assert (nothing.status, nothing.body) == (200, b"")
        nonsense = await visitor.ask("POST", "/register", b"VER=1.4&UIN=10001")
        assert nonsense.status == 200
        assert MD5 not in answer.body.decode()


@pytest.mark.parametrize(
    ("body", "is_form"),
    [
        (b"nick=x", True),
        (b"password=x&again=x&code=&nick=", True),
        (b"nick=%43MD%3D", True),
        (b"nick=x&CMD=Login", False),
        (b"VER=1.4&CMD=Login&PS=x&nick=y", False),
        (b"", False),
        (b"\xff\xfe", False),
        (b"nickname=x", False),
    ],
)
def test_what_is_a_form(body: bytes, is_form: bool) -> None:
    """It has a field of the form and no command."""
    assert register_page.is_form(body) == is_form
