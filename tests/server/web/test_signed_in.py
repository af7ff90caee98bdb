"""Where somebody is signed in, and why their phone is not."""

from typing import Any

from kqq.server.journal import Step
from kqq.server.visits import Visit
from stage import JULIET, PASSWORD, ROMEO, request, sign_in_line
from visiting import Browser, Web


def own(browser: Browser) -> Visit:
    """Return the visit that a browser has begun with."""
    assert browser.visit is not None
    return browser.visit


async def sessions(browser: Browser) -> Any:
    """Return what a page is told."""
    answer = await browser.get("/api/me/sessions")
    assert answer.status == 200
    return answer.json


# --- sessions and visits


async def test_browsers(web: Web) -> None:
    """All browsers of the account are named, the one that asks among them; nobody else's are."""
    browser = await web.client(ROMEO)
    web.clock.advance(10)
    other = await web.client(ROMEO)
    await web.client(JULIET)
    now = web.clock.date()
    assert await sessions(browser) == {
        "session": None,
        "visits": [
            {"id": own(other).id, "created": now, "seen": now, "host": "127.0.0.1",
             "agent": "tests", "is_this": False},
            {"id": own(browser).id, "created": now - 10, "seen": now - 10, "host": "127.0.0.1",
             "agent": "tests", "is_this": True},
        ],
    }  # fmt: skip


async def test_what_a_browser_calls_itself(web: Web) -> None:
    """It is cut, and nothing in it is more than text."""
    browser = await web.browser()
    agent = '<script>alert("1")</script>' + "x" * 1000
    browser.headers["User-Agent"] = agent
    await browser.sign_in(ROMEO)
    assert (await sessions(browser))["visits"][0]["agent"] == agent[:200]


async def test_session_of_a_phone(web: Web) -> None:
    """A page shows who is signed in to the protocol, and ends it; ended once more, all is well."""
    browser, phone = await web.client(ROMEO), await web.phone(ROMEO)
    juliet = await web.phone(JULIET)
    web.clock.advance(30)
    assert (await sessions(browser))["session"] == {
        "over": "tcp", "peer": "192.0.2.7:50000", "status": "online", "seconds": 30.0,
    }  # fmt: skip
    for _ in range(2):
        answer = await browser.delete("/api/me/session")
        assert (answer.status, answer.json) == (200, {})
    assert (await sessions(browser))["session"] is None
    assert "CMD=update_stat" in await phone.hear()  # Juliet came
    assert "RES=20" in await phone.ask(request("QUERY_STAT2", ROMEO, "FN=1&SN=0&UN=0"))
    assert "CMD=update_stat" in await juliet.hear()  # Romeo went
    assert "RES=20" not in await juliet.ask(request("QUERY_STAT2", JULIET, "FN=1&SN=0&UN=0"))
    steps = [taken.step.name for taken in web.site.services.journal.of_uin(ROMEO)[0].steps]
    assert steps == ["CONNECTED", "SIGNED_IN", "SIGNED_OUT", "EARLY"]


async def test_session_over_http(web: Web) -> None:
    """A session over HTTP, which has no connection, is ended as well."""
    browser = await web.client(ROMEO)
    wire = web.connect()
    line = sign_in_line(ROMEO)
    head = f"POST / HTTP/1.1\r\nHost: k\r\nContent-Length: {len(line)}\r\n\r\n"
    await wire.transport.send((head + line).encode())
    assert b"&RES=0&RS=0&" in await wire.transport.receive()
    assert (await sessions(browser))["session"]["over"] == "http"
    assert (await browser.delete("/api/me/session")).status == 200
    assert (await sessions(browser))["session"] is None


async def test_ending_another_visit(web: Web) -> None:
    """A browser signs another one of the account out, and its WebSocket is closed."""
    browser, other = await web.client(ROMEO), await web.client(ROMEO)
    async with other.session.ws_connect("/api/chat", headers={"Origin": web.url}) as socket:
        answer = await browser.delete(f"/api/me/visits/{own(other).id}")
        assert (answer.status, answer.json) == (200, {})
        assert (await socket.receive()).data == 4001
    assert (await other.get("/api/me")).error == (401, "signed_out")
    again = await browser.delete(f"/api/me/visits/{own(other).id}")
    assert again.error == (404, "no_visit")
    assert [one["is_this"] for one in (await sessions(browser))["visits"]] == [True]


async def test_ending_the_own_visit(web: Web) -> None:
    """That is signing out; the browser forgets its cookie."""
    browser = await web.client(ROMEO)
    answer = await browser.delete(f"/api/me/visits/{own(browser).id}")
    assert answer.status == 200
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert (await browser.get("/api/me")).error == (401, "signed_out")


async def test_visits_of_others(web: Web) -> None:
    """Nobody signs a browser of somebody else out; what is no number is no visit."""
    browser, other = await web.client(ROMEO), await web.client(JULIET)
    for number in (own(other).id, 0, 10**17):
        answer = await browser.delete(f"/api/me/visits/{number}")
        assert answer.error == (404, "no_visit")
    for text in ("x", "-1", "1" * 19, "1/2", "%31%00", ""):
        answer = await browser.delete(f"/api/me/visits/{text}")
        assert answer.error == (404, "not_found")
    assert (await other.get("/api/me")).status == 200


# --- why


async def why(browser: Browser) -> Any:
    """Return what a page is told."""
    answer = await browser.get("/api/me/why")
    assert answer.status == 200
    return answer.json


async def test_nothing_came(web: Web) -> None:
    """Whose phone never reached the server has to look at the address, in both languages."""
    found = await why(await web.client(ROMEO))
    assert (found["attempts"], found["signed_in"]) == ([], False)
    assert found["advice"]["en"].startswith("Nothing has reached the server lately")
    assert found["advice"]["zh"].startswith("服务器最近没有收到任何连接")


async def test_wrong_password(web: Web) -> None:
    """The attempts are those of `kqq why`, and the advice says what to do."""
    browser = await web.client(ROMEO)
    await web.connect().ask(sign_in_line(ROMEO, password="0" * 32))
    await web.connect("192.0.2.8").ask(sign_in_line(JULIET, password="0" * 32))
    found = await why(browser)
    assert found["attempts"] == [
        attempt.as_object() for attempt in web.site.services.journal.of_uin(ROMEO)
    ]
    (attempt,) = found["attempts"]
    assert [step["step"] for step in attempt["steps"]] == ["connected", "wrong_password"]
    assert attempt["address"] == "192.0.2.7"
    assert "the password is wrong; type it again" in found["advice"]["en"]
    assert "密码错误；请重新输入" in found["advice"]["zh"]
    assert found["signed_in"] is False


async def test_signed_in(web: Web) -> None:
    """Who is signed in with a phone needs no advice."""
    browser, _ = await web.client(ROMEO), await web.phone(ROMEO)
    found = await why(browser)
    assert (found["advice"], found["signed_in"]) == (None, True)
    await browser.delete("/api/me/session")
    found = await why(browser)
    assert found["signed_in"] is False
    assert "signed out; sign in again" in found["advice"]["en"]


async def test_browsers_are_no_phones(web: Web) -> None:
    """A browser that is signed in says nothing of the phone, though its attempts are shown."""
    browser = await web.browser()
    await web.connect().ask(sign_in_line(ROMEO, password="0" * 32))
    await browser.sign_in(ROMEO, PASSWORD)
    async with browser.session.ws_connect("/api/chat", headers={"Origin": web.url}) as socket:
        await socket.send_str(
            sign_in_line(ROMEO, password="0" * 32).replace("SEQ=200", "SEQ=" + "1" * 10)
        )
        assert "RES=0" in (await socket.receive()).data
        assert (await sessions(browser))["session"]["over"] == "web"
        found = await why(browser)
    assert found["signed_in"] is False
    assert "the password is wrong" in found["advice"]["en"]
    assert {attempt["over"] for attempt in found["attempts"]} == {"tcp", "web"}


async def test_replaced_by_a_browser(web: Web) -> None:
    """Whose phone was signed out since the browser signed in is told that."""
    browser, _ = await web.client(ROMEO), await web.phone(ROMEO)
    async with browser.session.ws_connect("/api/chat", headers={"Origin": web.url}) as socket:
        await socket.send_str(sign_in_line(ROMEO))
        assert "RES=0" in (await socket.receive()).data
        found = await why(browser)
    assert "signed in from 127.0.0.1" in found["advice"]["en"]
    assert "在 127.0.0.1" in found["advice"]["zh"]


async def test_many_attempts(web: Web) -> None:
    """So many attempts are shown that a page can show them, the last ones."""
    browser, journal = await web.client(ROMEO), web.site.services.journal
    for number in range(60):
        attempt = journal.begin(f"192.0.2.{number}", 50000, str(web.door), "tcp").is_of(ROMEO)
        attempt.add(Step.WRONG_PASSWORD)
    found = await why(browser)
    shown = [one["address"] for one in found["attempts"]]
    assert shown == [f"192.0.2.{number}" for number in range(10, 60)]
