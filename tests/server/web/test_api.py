"""The operator's API: who may ask, how arguments come, what is refused."""

import json
from typing import Any

import pytest

from kqq.server.accounts import check_proof, password_md5
from kqq.server.admin import ACTIONS
from kqq.server.operators import Role
from kqq.server.web.api import PATH, is_offered
from stage import JULIET, MD5, PARIS, ROMEO, sign_in_line
from visiting import Answer, Browser, Web


class Program:
    """Something that speaks to the API with a token."""

    def __init__(self, browser: Browser, secret: str) -> None:
        self.browser = browser
        self.headers = {"Authorization": f"Bearer {secret}", "Origin": "", "X-CSRF": ""}

    async def get(self, action: str) -> Answer:
        """Ask for something."""
        return await self.browser.get(PATH + action, headers=self.headers)

    async def post(self, action: str, **arguments: Any) -> Answer:
        """Have something done."""
        return await self.browser.post(PATH + action, arguments, headers=self.headers)

    async def send(self, action: str, data: bytes, **headers: str) -> Answer:
        """Post bytes."""
        more = {**self.headers, **headers}
        return await self.browser.ask("POST", PATH + action, data=data, headers=more)


async def program(web: Web, role: Role = Role.ADMINISTRATOR) -> Program:
    """Return a program whose token has a role."""
    _, secret = await web.site.operators.add_token(role.value, role, 1.0)
    return Program(await web.browser(), secret)


@pytest.fixture
async def admin(web: Web) -> Program:
    """Return a program that may do everything."""
    return await program(web)


# --- who may ask ---------------------------------------------------------------------------------


async def test_token(web: Web, admin: Program) -> None:
    """A program does what the role of its token says, and is named in what is noted."""
    listed = await admin.get("account.list?most=2")
    assert listed.status == 200
    assert [one["uin"] for one in listed.json] == [ROMEO, JULIET]
    assert listed.headers["Cache-Control"] == "no-store"
    assert (await admin.post("account.suspend", uin=ROMEO, reason="a duel")).json == {
        "uin": ROMEO,
        "reason": "a duel",
    }
    (deed,) = web.site.operators.deeds()
    assert (deed.who, deed.action, deed.arguments["uin"]) == (
        "token administrator",
        "account.suspend",
        ROMEO,
    )


async def test_cookie(web: Web) -> None:
    """Who is signed in with a browser does what the role of the account says, from our pages."""
    browser = await web.client(ROMEO)
    assert (await browser.get(PATH + "status")).error == (403, "role")
    await web.site.operators.add(ROMEO, Role.ADMINISTRATOR)
    assert (await browser.get(PATH + "status")).status == 200
    assert (await browser.post(PATH + "account.suspend", {"uin": PARIS})).status == 200
    (deed,) = web.site.operators.deeds()
    assert deed.who == "10001"
    wrong = await browser.post(PATH + "account.resume", {"uin": PARIS}, headers={"X-CSRF": "x"})
    assert wrong.error == (403, "csrf")
    wrong = await browser.post(
        PATH + "account.resume", {"uin": PARIS}, headers={"Origin": "http://example.org"}
    )
    assert wrong.error == (403, "origin")
    await web.site.operators.add(JULIET, Role.ADMINISTRATOR)
    await web.site.operators.remove(ROMEO)
    assert (await browser.get(PATH + "status")).error == (403, "role")


@pytest.mark.parametrize(
    "header", ["Bearer kqq_x", "Bearer", "", "Basic kqq_x", "kqq_x", "Bearer kqq_é"]
)
async def test_nobody(web: Web, header: str) -> None:
    """Without a token or a cookie, or with a wrong token, nothing is told."""
    browser = await (web.client(ROMEO) if header else web.browser())
    await web.site.operators.add(ROMEO, Role.ADMINISTRATOR)
    headers = {"Authorization": header}
    for method, name in (("GET", "status"), ("POST", "account.delete")):
        answer = await browser.ask(
            method, PATH + name, {"uin": PARIS} if method == "POST" else None, headers=headers
        )
        assert answer.error == (401, "token" if header else "signed_out")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert web.store.account_exists(PARIS)


async def test_token_that_is_of_no_use(web: Web, admin: Program) -> None:
    """It has expired, or was revoked."""
    web.clock.advance(86_400.0)
    assert (await admin.get("status")).error == (401, "token")
    _, secret = await web.site.operators.add_token("new", Role.OBSERVER, 1.0)
    other = Program(admin.browser, secret)
    assert (await other.get("status")).status == 200
    await web.site.operators.revoke_token("new")
    assert (await other.get("status")).error == (401, "token")


async def test_roles(web: Web) -> None:
    """Each action is for its role and those above; what is refused is noted."""
    programs = {role: await program(web, role) for role in Role}
    for role, one in programs.items():
        for name, action in ACTIONS.items():
            if not is_offered(action) or role.covers(action.role):
                continue
            given = {key: _anything(key) for key in _required(name)}
            answer = await one.post(name, **given)
            assert answer.error == (403, "role"), (role, name)
    assert web.site.operators.deeds()
    assert all("for the role" in deed.outcome for deed in web.site.operators.deeds())


def _required(name: str) -> list[str]:
    found = [one.name for one in ACTIONS[name].parameters.values() if one.is_required]
    return ["password" if key == "proof" else key for key in found]


def _anything(key: str) -> Any:
    return {"uin": ROMEO, "other": JULIET, "values": {}, "role": "observer"}.get(key, "x")


async def test_moderator_and_operators(web: Web) -> None:
    """A moderator may do nothing to who may as much."""
    moderator = await program(web, Role.MODERATOR)
    await web.site.operators.add(ROMEO, Role.ADMINISTRATOR)
    assert (await moderator.post("account.suspend", uin=ROMEO)).error == (403, "role")
    assert (await moderator.post("account.suspend", uin=JULIET)).status == 200


async def test_suspended_operator(web: Web) -> None:
    """Whoever is suspended has no role to use, and the browser is signed out."""
    await web.site.operators.add(ROMEO, Role.ADMINISTRATOR)
    await web.site.operators.add(JULIET, Role.ADMINISTRATOR)
    romeo, juliet = await web.client(ROMEO), await web.client(JULIET)
    assert (await juliet.post(PATH + "account.suspend", {"uin": ROMEO})).status == 200
    assert (await romeo.get(PATH + "status")).error == (401, "signed_out")
    answer = await juliet.post(PATH + "account.suspend", {"uin": JULIET})
    assert answer.error == (400, "account")
    assert "10002 is the last administrator" in answer.json["why"]


# --- what may be asked ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "name", "error"),
    [
        ("GET", "dance", (404, "no_action")),
        ("POST", "dance", (404, "no_action")),
        ("POST", "account.import", (404, "no_action")),
        ("GET", "account.delete", (405, "method")),
        ("PUT", "account.delete", (405, "method")),
        ("POST", "account.list", (405, "method")),
        ("OPTIONS", "account.list", (405, "method")),
    ],
)
async def test_no_such_thing(
    admin: Program, method: str, name: str, error: tuple[int, str]
) -> None:
    """An action that is not offered, or is asked for in another way."""
    answer = await admin.browser.ask(method, PATH + name, headers=admin.headers)
    assert answer.error == error
    if error[0] == 405:
        allowed = {"POST"} if ACTIONS[name].changes else {"GET", "HEAD"}
        assert set(answer.headers["Allow"].replace(" ", "").split(",")) == allowed


async def test_head(admin: Program) -> None:
    """HEAD is GET without what it would say."""
    answer = await admin.browser.ask("HEAD", PATH + "status", headers=admin.headers)
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("account.show", "uin is missing"),
        ("account.show?uin=x", "uin='x' is no number"),
        ("account.show?uin=", "uin='' is no number"),
        ("account.show?uin=1.0", "is no number"),
        ("account.show?uin=%EF%BC%91", "is no number"),
        ("account.show?uin=0", "uin=0 cannot be; take 1 to 4294967295"),
        ("account.show?uin=99999999999999999999", "cannot be; take 1 to"),
        ("account.show?uin=999999999999999999999", "is no number"),
        ("account.show?uin=10001&uin=10002", "'uin' is there twice"),
        ("account.show?uin=10001&x=1", "unknown: 'x'"),
        ("account.show?uin=10001&x=1&x=2", "'x' is there twice"),
        ("account.list?most=1001", "most=1001 cannot be; take 0 to 1000"),
        ("account.which", "uins is missing"),
        ("account.which?uins=1&uins=x", "uins='x' is no number"),
        ("trends?minutes=1e3", "minutes='1e3' is no number"),
        ("trends?minutes=nan", "minutes='nan' is no number"),
        ("deeds?who=" + "x" * 65, "cannot be; take 1 to 64 characters"),
    ],
)
async def test_query_that_will_not_do(admin: Program, query: str, words: str) -> None:
    """What is wrong is told, with the name of the parameter."""
    answer = await admin.get(query)
    assert answer.error == (400, "bad_request")
    assert words in answer.json["why"]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (f"account.which?uins={ROMEO}&uins=20000&uins={PARIS}", [{"uin": ROMEO}, {"uin": PARIS}]),
        (f"account.which?uins={ROMEO}", [{"uin": ROMEO}]),
        ("account.list?search=%E6%B3%A2", []),
        ("device.list?uin=10001", []),
        ("deeds?before=5&who=10001&action=kick&most=3", []),
    ],
)
async def test_query(admin: Program, query: str, wanted: Any) -> None:
    """Numbers, texts and lists come in a query."""
    answer = await admin.get(query)
    assert (answer.status, answer.json) == (200, wanted)


@pytest.mark.parametrize("minutes", ["5", "5.5"])
async def test_numbers_with_a_point(admin: Program, minutes: str) -> None:
    """Where a number need not be whole, it may have one."""
    assert (await admin.get(f"trends?minutes={minutes}")).json["every"] == 10.0


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"", 400, "the body is no JSON"),
        (b"{", 400, "the body is no JSON"),
        (b"\xff", 400, "the body is no JSON"),
        (b"[" * 50_000, 400, "the body is no JSON"),
        (b"[]", 400, "the body must be a JSON object"),
        (b'{"uin": 10001, "x": 1}', 400, "unknown: 'x'"),
        (b"{}", 400, "uin is missing"),
        (b'{"uin": "10001"}', 400, "uin='10001' is of the wrong type"),
        (b'{"uin": 10001.5}', 400, "is of the wrong type"),
        (b'{"uin": 1e300}', 400, "is of the wrong type"),
        (b'{"uin": 1e999}', 400, "is of the wrong type"),
        (b'{"uin": null}', 400, "is of the wrong type"),
        (b'{"uin": NaN}', 400, "the body is no JSON"),
        (b'{"uin": 10001, "reason": "\\ud800"}', 400, "a text is no UTF-8"),
        (b'{"uin": 10001, "\\ud800": 1}', 400, "a text is no UTF-8"),
        (b'{"uin": 10001, "reason": ' + b"[" * 20 + b"]" * 20 + b"}", 400, "nested too deep"),
        (b'{"uin": ' + b"9" * 5000 + b"}", 400, "the body is no JSON"),
        (b'{"uin": 10001, "reason": "' + b"x" * 70_000 + b'"}', 413, ""),
    ],
)
async def test_body_that_will_not_do(
    web: Web, admin: Program, data: bytes, status: int, words: str
) -> None:
    """What is wrong is told, and nothing is done."""
    answer = await admin.send("account.suspend", data)
    assert answer.error == (status, "bad_request")
    assert words in answer.json["why"]
    account = web.store.account(ROMEO)
    assert account is not None
    assert account.suspended is None


async def test_whole_numbers(web: Web, admin: Program) -> None:
    """In JSON, a number with a point may be whole."""
    answer = await admin.send("account.suspend", b'{"uin": 10001.0}')
    assert answer.json == {"uin": ROMEO, "reason": ""}


async def test_other_kinds_of_bodies(admin: Program) -> None:
    """A form that another page could send is none that is read."""
    body = json.dumps({"uin": ROMEO}).encode()
    answer = await admin.send("account.suspend", body, **{"Content-Type": "text/plain"})
    assert answer.error == (415, "bad_request")


async def test_what_the_action_refuses(admin: Program) -> None:
    """Its words come as they are, and say whether it was an account or a setting."""
    answer = await admin.get("account.show?uin=20000")
    assert answer.error == (400, "account")
    assert answer.json["why"] == "there is no account 20000"
    answer = await admin.post("limits.set", values={"data": "/"})
    assert answer.error == (400, "config")


# --- passwords -----------------------------------------------------------------------------------


async def test_password(web: Web, admin: Program) -> None:
    """A password comes as such, and its proof is made here; nothing notes it."""
    added = await admin.post("account.add", nick="Rosaline", password="a secret")
    assert added.status == 200
    account = web.store.account(added.json["uin"])
    assert account is not None
    assert check_proof(password_md5("a secret"), account.proof)
    wire = web.connect()
    assert "&RS=0&" in await wire.ask(sign_in_line(ROMEO))
    changed = await admin.post("account.passwd", uin=ROMEO, password="another secret")
    assert changed.json == {"uin": ROMEO}
    assert "&RS=0&" not in await web.connect().ask(sign_in_line(ROMEO, password=MD5))
    assert "&RS=0&" in await web.connect().ask(
        sign_in_line(ROMEO, password=password_md5("another secret"))
    )
    assert "secret" not in str(web.site.operators.deeds())


@pytest.mark.parametrize(
    "given",
    [
        {"uin": ROMEO},
        {"uin": ROMEO, "proof": "x"},
        {"uin": ROMEO, "password": ""},
        {"uin": ROMEO, "password": "x" * 1001},
        {"uin": ROMEO, "password": 7},
        {"uin": ROMEO, "password": None},
        {"uin": "x", "password": "x"},
    ],
)
async def test_password_that_will_not_do(web: Web, admin: Program, given: dict[str, Any]) -> None:
    """A proof is none that is taken from outside."""
    before = web.store.account(ROMEO)
    assert (await admin.post("account.passwd", **given)).error == (400, "bad_request")
    assert web.store.account(ROMEO) == before


async def test_role_comes_before_the_password(web: Web) -> None:
    """No proof is made for who may not change it, since it takes long."""
    observer = await program(web, Role.OBSERVER)
    answer = await observer.post("account.passwd", uin=ROMEO, password="another")
    assert answer.error == (403, "role")
    assert web.store.account(ROMEO).proof.startswith("scrypt$")  # type: ignore[union-attr]
