"""Somebody kept signed in from a browser: nothing is lost, nothing comes twice."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page

from kqq.client import Client
from kqq.protocol import Push, ServerMsg, Status
from kqq.server.store import Kind
from stage import add_person, request

NewPage = Callable[..., Awaitable[Page]]
Open = Callable[..., Awaitable["Chat"]]
ANNA, BO, CARL, DORA = 10001, 10002, 10003, 10004
BLANK = "/api/hello"
TEN_MINUTES = 600_000
SHORTLY = TEN_MINUTES - 15_000
START = """async ([uin, settings]) => {
  const [{ Messenger }, { History }] = await Promise.all([
    import("/static/js/kqq/messenger.js"), import("/static/js/kqq/history.js"),
  ]);
  const catalogue = await (await fetch("/static/catalogue.json")).json();
  globalThis.shift = 0;
  globalThis.deaf = globalThis.mute = null;
  globalThis.left = Infinity;
  const now = () => Date.now() + globalThis.shift;
  // A network that swallows lines of some kind, or dies when none is left that may pass.
  class Lossy extends WebSocket {
    constructor(url) {
      super(url);
      globalThis.socket = this;
    }
    passes(line, kind) {
      this.isDead ||= globalThis.left-- <= 0;
      return !this.isDead && !kind?.test(line);
    }
    send(line) {
      if (this.passes(line, globalThis.mute)) super.send(line);
    }
    set onmessage(take) {
      const pass = ({ data }) => this.passes(data, globalThis.deaf) && take({ data });
      super.onmessage = take && pass;
    }
  }
  globalThis.kept = await History.open(uin, { now });
  const me = globalThis.me = new Messenger({
    uin, catalogue, now, history: globalThis.kept, WebSocket: Lossy,
    url: `ws://${location.host}/api/chat`, pace: { first: 20, most: 100, answer: 3000 },
    ...settings,
  });
  globalThis.heard = [];
  for (const type of ["phase", "roster", "presence", "message", "changed", "request", "notice",
    "trouble", "line"]) {
    me.addEventListener(type, ({ detail }) => globalThis.heard.push([type, detail]));
  }
  await me.start();
}"""

LAST = "heard.findLastIndex(([type]) => type === '{}')"
UNTIL = """async (value) => {{
  const end = Date.now() + 15000;
  while (!(await ({condition}))) {{
    if (Date.now() > end) throw new Error("not within 15 s; heard " + JSON.stringify(heard));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }}
}}"""


class Chat:
    """A page on which a messenger runs, as `me`, with its history as `kept`."""

    def __init__(self, page: Page, uin: int) -> None:
        self.page = page
        self.uin = uin

    async def start(self, **settings: Any) -> None:
        """Start the messenger on a page that has none."""
        await self.page.evaluate(START, [self.uin, settings])

    async def do(self, work: str, value: object = None) -> Any:
        """Return what a function of a value gives, as JSON."""
        script = f"async (value) => JSON.stringify((await ({work})(value)) ?? null)"
        return json.loads(await self.page.evaluate(script, value))

    async def until(self, condition: str, value: object = None) -> None:
        """Wait until an expression, in which `value` is known, is true."""
        await self.page.evaluate(UNTIL.format(condition=condition), value)

    async def online(self) -> None:
        """Wait until it is signed in and has asked who its friends are since."""
        await self.until(
            f"me.phase === 'online' && {LAST.format('roster')} > {LAST.format('phase')}"
        )

    async def heard(self, kind: str) -> list[dict[str, Any]]:
        """Return the details of all events of a kind."""
        return list(
            await self.do(
                "(kind) => heard.filter(([type]) => type === kind).map(([, one]) => one)", kind
            )
        )

    async def send(self, to: int, *texts: str) -> list[str]:
        """Send texts, and return the ids of the messages."""
        work = "([to, texts]) => texts.map((text) => me.send(to, text).id)"
        return list(await self.do(work, [to, texts]))

    async def settled(self) -> None:
        """Wait until nothing waits to be sent."""
        await self.until("kept.outbox().then((waiting) => !waiting.length)")

    async def talk(self, peer: int) -> list[tuple[str, str]]:
        """Return texts and states of a conversation, as the history has them."""
        found = await self.do("(peer) => kept.page(peer, { most: 500 })", peer)
        return [(one["text"], one["state"]) for one in found]

    async def texts(self, peer: int) -> list[str]:
        """Return what somebody wrote, as the history has it."""
        return [text for text, state in await self.talk(peer) if state == "received"]

    async def fails(self, work: str, value: object = None) -> str:
        """Return the code with which something fails."""
        script = f"({work})(value).then(() => 'nothing', (error) => error.code ?? String(error))"
        return str(await self.do(f"async (value) => {script}", value))


@pytest.fixture
def chat(signed_in_page: NewPage) -> Open:
    """Makes messengers that are online, each in a browser of its own, from their numbers."""

    async def make(uin: int, *, context: BrowserContext | None = None, **settings: Any) -> Chat:
        if context is None:
            page = await signed_in_page(uin, BLANK)
        else:
            page = await context.new_page()
            await page.goto(BLANK)
        made = Chat(page, uin)
        await made.start(**settings)
        if not settings:
            await made.online()
        return made

    return make


async def read(client: Client, count: int) -> list[str]:
    """Return the texts of the next messages that a client is pushed."""
    texts: list[str] = []
    async with asyncio.timeout(15):
        async for push in client.events():
            if isinstance(push, ServerMsg) and push.type == 9:
                texts.append(push.text)
            if len(texts) == count:
                break
    return texts


async def read_until(client: Client, wanted: Callable[[Push], bool]) -> Push:
    """Return the next push that is wanted."""
    async with asyncio.timeout(15):
        async for push in client.events():
            if wanted(push):
                return push
    raise AssertionError("the connection has ended")


def lines(texts: list[dict[str, Any]], way: str, command: str) -> list[str]:
    """Return the lines of `line` events with a command."""
    return [one["line"] for one in texts if one["way"] == way and f"CMD={command}&" in one["line"]]


# --- talking


async def test_two_browsers_and_a_phone_talk(server: Any, chat: Open) -> None:
    """Each has each other's words, the awkward ones too, and each own one is sent."""
    awkward = ["hello", "a & b, 100% = c\nd", "你好 😀", "<b>&amp;</b>", "%26"]
    phone = await server.wire(CARL)
    anna, bo = await chat(ANNA), await chat(BO)
    await anna.send(BO, *awkward)
    await bo.until("heard.filter(([type]) => type === 'message').length === value", len(awkward))
    await bo.send(ANNA, "and you?")
    await anna.send(CARL, "hi Carl")
    while "CMD=Server_Msg" not in (line := await phone.hear()):
        pass
    assert line.endswith("&UN=10001&MG=hi Carl")
    await phone.say(request("CLTMSG", CARL, f"UN={ANNA}&MG=hi Anna"))
    await anna.until("heard.filter(([type]) => type === 'message').length === value", 8)
    await anna.settled()
    assert await bo.texts(ANNA) == awkward
    assert await anna.talk(BO) == [*((one, "sent") for one in awkward), ("and you?", "received")]
    assert await anna.talk(CARL) == [("hi Carl", "sent"), ("hi Anna", "received")]
    (first, *_) = await bo.heard("message")
    message = first["message"]
    assert (message["own"], message["peer"], message["kind"]) == (False, ANNA, "message")
    assert (message["read"], len(message["number"])) == (False, 10)


async def test_the_roster_shows_who_is_there(server: Any, chat: Open) -> None:
    """Friends have names, faces and statuses; what changes is told, also of oneself."""
    anna = await chat(ANNA)
    roster = await anna.do("() => [...me.roster.values()]")
    assert roster == [
        {"uin": BO, "nick": "小波", "face": 6, "status": "offline"},
        {"uin": CARL, "nick": "Carl", "face": 9, "status": "offline"},
    ]
    bo = await chat(BO)
    await anna.until("me.roster.get(10002).status === 'online'")
    await bo.do("() => me.setStatus('do_not_disturb')")
    await anna.until("me.roster.get(10002).status === 'do_not_disturb'")
    server.cut()
    await bo.until("heard.filter(([, one]) => one.phase === 'online')[1]")
    await anna.until("me.phase === 'online' && me.roster.get(10002).status === 'do_not_disturb'")
    await bo.do("() => me.setStatus('hidden')")
    await anna.until("me.roster.get(10002).status === 'offline'")
    assert await bo.do("() => me.status") == "hidden"
    server.cut()
    await bo.until("heard.filter(([, one]) => one.phase === 'online')[2]")
    assert "&LG=40&" in lines(await bo.heard("line"), "out", "Login")[2]
    assert await bo.fails("async () => me.setStatus('offline')") == "refused"
    statuses = [one["status"] for one in await bo.heard("presence") if one["uin"] == BO]
    assert statuses == ["do_not_disturb", "hidden"]
    await bo.do("() => me.stop()")
    assert await bo.do("() => me.phase") == "stopped"


async def test_a_long_friend_list_has_pages(server: Any, chat: Open) -> None:
    """All of them are read, names and statuses."""
    store = server.server.store
    for uin in range(10100, 10175):
        add_person(store, uin, f"n,{uin}")
        store.add_friends(ANNA, uin)
    await server.client(10174)
    anna = await chat(ANNA)
    roster = await anna.do("() => [...me.roster.values()]")
    assert len(roster) == 77
    assert {one["nick"] for one in roster} >= {"小波", "n,10100", "n,10174"}
    assert [one["uin"] for one in roster if one["status"] == "online"] == [10174]
    assert len(lines(await anna.heard("line"), "out", "SimpleInfo2")) > 1


async def test_people_are_found_and_told_about(server: Any, chat: Open) -> None:
    """By number and by what they say of themselves; who is not there is no such number."""
    await server.server.store.change_profile(BO, {"age": "20", "city": "北京, Haidian"})
    anna = await chat(ANNA)
    assert await anna.do("() => me.info(10002)") == {
        "uin": BO,
        "nick": "小波",
        "face": 6,
        "age": "20",
        "city": "北京, Haidian",
    }
    person = {"uin": BO, "nick": "小波", "face": 6}
    assert await anna.do("() => me.search({ age: 20 })") == [person]
    assert await anna.do("() => me.search({ uin: 10002 })") == [person]
    assert await anna.do("() => me.search({ age: 99 })") == []
    assert await anna.fails("() => me.info(10999)") == "no_such_number"
    await anna.do("() => me.stop()")
    assert await anna.fails("() => me.info(10002)") == "offline"


async def test_friends_are_made_and_unmade(server: Any, chat: Open) -> None:
    """Requests go both ways; they wait until they are answered, and answers are told."""
    dora, anna = await server.client(DORA), await chat(ANNA)
    await dora.request(ANNA, "let me in & please")
    await anna.until("heard.some(([type]) => type === 'request')")
    ((asked),) = await anna.heard("request")
    assert (asked["uin"], asked["nick"], asked["words"]) == (DORA, "Dora", "let me in & please")
    await anna.page.reload()
    await anna.start()
    await anna.online()
    assert [one["nick"] for one in await anna.do("() => me.requests")] == ["Dora"]
    await anna.do("() => me.refuseFriend(10004, 'not yet')")
    refused = await read_until(dora, lambda push: isinstance(push, ServerMsg))
    assert isinstance(refused, ServerMsg)
    assert (refused.type, refused.text) == (4, "not yet")
    assert await anna.do("async () => [me.requests, await kept.requests()]") == [[], []]

    assert await anna.do("() => me.addFriend(10004, 'sorry')") == "asked"
    await read_until(dora, lambda push: isinstance(push, ServerMsg) and push.text == "sorry")
    await dora.accept(ANNA)
    await anna.until("me.roster.get(10004)?.status === 'online'")
    ((notice),) = await anna.heard("notice")
    assert (notice["uin"], notice["kind"]) == (DORA, "accepted")
    await anna.do("() => me.removeFriend(10004)")
    assert await anna.do(
        "async () => [me.roster.has(10004), (await kept.fact('roster')).length]"
    ) == [False, 2]

    await dora.request(ANNA, "again")
    await anna.until("me.requests.length === 1")
    await anna.do("() => me.acceptFriend(10004)")
    assert await anna.do("async () => [me.requests.length, me.roster.has(10004)]") == [0, True]
    await anna.do("() => me.removeFriend(10004)")
    await server.server.store.change_account(DORA, who_may_add="anyone")
    assert await anna.do("() => me.addFriend(10004)") == "added"
    assert await anna.do("() => me.roster.has(10004)") is True
    await anna.do("() => me.removeFriend(10004)")
    await server.server.store.change_account(DORA, who_may_add="nobody")
    assert await anna.fails("() => me.addFriend(10004)") == "refused"
    assert await anna.fails("() => me.addFriend(10999)") == "no_such_number"


async def test_the_system_and_refusals_are_told(server: Any, chat: Open) -> None:
    """Words of the server are a kind of their own; strangers get nothing; texts have limits."""
    anna = await chat(ANNA)
    await server.server._services.inbox.put(10000, ANNA, "back at eight", Kind.MESSAGE)
    await anna.until("heard.some(([type]) => type === 'message')")
    ((told),) = await anna.heard("message")
    assert (told["message"]["peer"], told["message"]["kind"]) == (10000, "system")
    (to_dora, to_nobody) = await anna.do(
        "() => [me.send(10004, 'do you know me?').id, me.send(10999, 'anybody?').id]"
    )
    await anna.settled()
    found = [await anna.do("(id) => kept.get(id)", one) for one in (to_dora, to_nobody)]
    assert [(one["state"], one["why"]) for one in found] == [
        ("refused", "refused"),
        ("refused", "no_such_number"),
    ]
    assert await anna.fails("async () => me.send(10002, '')") == "empty"
    assert await anna.fails("async () => me.send(10002, '很'.repeat(30000))") == "too_long"
    server.server.store.add_friends(ANNA, DORA)
    assert await anna.do("(id) => me.resend(id)", to_dora) is True
    await anna.settled()
    assert await anna.talk(DORA) == [("do you know me?", "sent")]
    assert await anna.do("(id) => me.resend(id)", to_dora) is False
    assert await anna.do("(id) => me.discard(id)", to_dora) is False
    assert await anna.do("(id) => me.discard(id)", to_nobody) is True
    assert (await anna.heard("changed"))[-1]["message"]["state"] == "discarded"
    assert await anna.talk(10999) == []


async def test_every_line_can_be_watched(server: Any, chat: Open) -> None:
    """In both directions, without what is secret; the sign-in has a number of ten digits."""
    anna = await chat(ANNA)
    seen = await anna.heard("line")
    (login,) = lines(seen, "out", "Login")
    assert login.endswith("&UIN=10001&PS=***&M5=1&LG=0&LC=812822641C978097&GD=&CKE=")
    assert len(login.split("SEQ=")[1].split("&")[0]) == 10
    (answer,) = lines(seen, "in", "Login")
    assert "&RES=0&RS=0&" in answer
    assert answer.endswith("&SG=***&SSG=***")
    assert all(one["at"] > 1_000_000_000_000 for one in seen)


# --- cuts


async def test_cuts_lose_and_double_nothing(server: Any, chat: Open) -> None:
    """Forty texts each way, while all connections break again and again: once each, in order."""
    anna, bo = await chat(ANNA), await chat(BO)
    texts = [f"text {number}" for number in range(40)]

    async def break_often() -> None:
        for pause in (10, 5, 30, 0, 20, 40, 15, 60, 5, 25):
            await asyncio.sleep(pause / 1000)
            server.cut()

    breaking = asyncio.create_task(break_often())
    for start in range(0, 40, 8):
        await anna.send(BO, *texts[start : start + 8])
        await bo.send(ANNA, *texts[start : start + 8])
    await breaking
    for one, other in ((anna, BO), (bo, ANNA)):
        await one.settled()
        await one.until("kept.conversations().then(([talk]) => talk.unread === value)", 40)
        assert await one.texts(other) == texts
        shown = [each["message"] for each in await one.heard("message")]
        assert [each["text"] for each in shown if not each["own"]] == texts
        assert {state for _, state in await one.talk(other)} == {"sent", "received"}
    assert len(lines(await anna.heard("line"), "out", "Login")) > 1


async def test_it_may_break_at_any_line(server: Any, chat: Open) -> None:
    """While people talk, and while one signs in again: what is written and comes is there once."""
    anna, bo = await chat(ANNA), await chat(BO)
    talking, signing_in = range(6), range(1, 11)
    texts: list[str] = []
    for left in (*talking, *signing_in):
        await anna.do("(left) => { globalThis.left = left; }", left)
        if len(texts) >= len(talking):
            server.cut()
        texts.append(f"text {len(texts)}")
        await asyncio.gather(anna.send(BO, texts[-1]), bo.send(ANNA, texts[-1]))
        await anna.until("globalThis.left <= 0 || heard.at(-1)[1].at < Date.now() - 100")
        await anna.do("() => { globalThis.left = Infinity; }")
        server.cut()
    for one, other in ((anna, BO), (bo, ANNA)):
        await one.settled()
        await one.until("kept.unreadOf(value).then((unread) => unread >= 16)", other)
        assert await one.texts(other) == texts
        shown = [each["message"] for each in await one.heard("message")]
        assert [each["text"] for each in shown if not each["own"]] == texts


async def test_the_server_restarts_and_nothing_is_lost_or_doubled(
    server: Any, chat: Open, complaints: Any
) -> None:
    """What is written before, while it is away, and after arrives once, in order."""
    complaints.allowed.append("WebSocket")
    anna, bo = await chat(ANNA), await chat(BO)
    await anna.send(BO, "one", "two")
    await server.stop()
    await anna.until("me.phase === 'waiting'")
    assert await anna.do("() => me.retryAt - Date.now() <= 100")
    await anna.send(BO, "three")
    await bo.send(ANNA, "four")
    await server.start()
    await anna.send(BO, "five")
    await bo.until("kept.unreadOf(10001).then((unread) => unread === 4)")
    await anna.until("kept.unreadOf(10002).then((unread) => unread === 1)")
    for one in (anna, bo):
        await one.settled()
        await one.online()
    assert await bo.texts(ANNA) == ["one", "two", "three", "five"]
    assert await anna.texts(BO) == ["four"]


async def test_what_comes_again_is_shown_once(server: Any, chat: Open) -> None:
    """A push that was not confirmed comes again at the next sign-in, even on another page."""
    anna, carl = await chat(ANNA), await server.client(CARL)
    await anna.do("() => { globalThis.mute = /CMD=GetMsgEx&/; }")
    await carl.send(ANNA, "are you there?")
    await anna.until("heard.some(([type]) => type === 'message')")
    server.cut()
    await anna.until("heard.filter(([, one]) => /Server_Msg/.test(one.line ?? '')).length === 2")
    await anna.page.reload()
    await anna.start()
    await anna.until("heard.some(([, one]) => /CMD=GETMSGEX/.test(one.line ?? ''))")
    seen = await anna.heard("line")
    (push,), (confirmed,) = lines(seen, "in", "Server_Msg"), lines(seen, "out", "GetMsgEx")
    assert push.split("&")[2] == confirmed.split("&")[3], "the number is that of the push"
    assert await anna.heard("message") == []
    assert await anna.texts(CARL) == ["are you there?"]
    server.cut()
    await anna.until("heard.filter(([, one]) => one.phase === 'online').length === 2")
    await anna.do("() => me.refresh()")
    assert len(lines(await anna.heard("line"), "in", "Server_Msg")) == 1, "it was confirmed"


async def test_what_was_written_outlives_the_page(server: Any, chat: Open, complaints: Any) -> None:
    """A page that is closed before it could speak leaves its words to the next; order is kept."""
    complaints.allowed.append("WebSocket")
    anna = await chat(ANNA)
    await anna.do("() => { globalThis.deaf = /CMD=CLTMSG&/; }")
    await anna.send(BO, "said, and not answered")
    await anna.until("kept.outbox().then(([one]) => one.said !== null)")
    await anna.send(BO, "not said")
    first = lines(await anna.heard("line"), "out", "CLTMSG")
    await anna.until("kept.outbox().then((waiting) => waiting.length === 2)")
    again = await chat(ANNA, context=anna.page.context)
    await again.settled()
    assert await again.talk(BO) == [("said, and not answered", "sent"), ("not said", "sent")]
    second = lines(await again.heard("line"), "out", "CLTMSG")
    assert second[0] == first[0], "it is the very same line"
    bo = await server.client(BO)
    assert await read(bo, 2) == ["said, and not answered", "not said"]
    await again.send(BO, "more")
    assert await read(bo, 1) == ["more"]


async def test_after_ten_minutes_nobody_knows(server: Any, chat: Open) -> None:
    """What has no answer is said again until then; later it is unknown, until it is sent anew."""
    bo, anna = await server.client(BO), await chat(ANNA)
    await anna.do("() => { globalThis.deaf = /CMD=CLTMSG&/; }")
    await anna.send(BO, "in time")
    assert await read(bo, 1) == ["in time"]
    await anna.do("(value) => { globalThis.shift = value; globalThis.deaf = null; }", SHORTLY)
    server.cut()
    await anna.settled()
    assert await anna.talk(BO) == [("in time", "sent")]
    bo = await server.client(BO)

    await anna.do("() => { globalThis.deaf = /CMD=CLTMSG&/; }")
    (late,) = await anna.send(BO, "too late")
    assert await read(bo, 1) == ["too late"]
    await anna.do("(value) => { globalThis.shift += value; globalThis.deaf = null; }",
                  TEN_MINUTES + 1)  # fmt: skip
    server.cut()
    await anna.settled()
    assert (await anna.heard("changed"))[-1]["message"]["state"] == "unknown"
    said = lines(await anna.heard("line"), "out", "CLTMSG")
    assert Counter(line.rpartition("MG=")[2] for line in said) == {"in time": 2, "too late": 1}
    bo = await server.client(BO)
    assert await anna.do("(id) => me.resend(id)", late)
    assert await read(bo, 1) == ["too late"]
    await anna.settled()
    assert await anna.talk(BO) == [("in time", "sent"), ("too late", "sent")]


async def test_a_message_that_is_never_answered_is_given_up(server: Any, chat: Open) -> None:
    """After three tries on a server that answers else; what comes behind it is sent then."""
    anna = await chat(ANNA, pace={"first": 20, "most": 50, "answer": 150})
    await anna.online()
    await anna.do("() => { globalThis.deaf = /CMD=CLTMSG&/; }")
    await anna.send(BO, "hm")
    await anna.until("heard.some(([, one]) => one.message?.state === 'unknown')")
    await anna.do("() => { globalThis.deaf = null; }")
    await anna.send(BO, "next")
    await anna.settled()
    assert await anna.talk(BO) == [("hm", "unknown"), ("next", "sent")]
    said = lines(await anna.heard("line"), "out", "CLTMSG")
    assert len(said) == 4
    assert len(set(said)) == 2


async def test_what_was_not_said_can_be_taken_back(
    server: Any, chat: Open, complaints: Any
) -> None:
    """Not what is being said: it may have arrived."""
    complaints.allowed.append("WebSocket")
    anna = await chat(ANNA)
    await anna.do("() => { globalThis.deaf = /CMD=CLTMSG&/; }")
    (said,) = await anna.send(BO, "said")
    await anna.until("kept.outbox().then(([one]) => one.said !== null)")
    (unsaid,) = await anna.send(BO, "better not")
    assert await anna.do("(id) => me.discard(id)", said) is False
    await anna.until("kept.outbox().then((waiting) => waiting.length === 2)")
    assert await anna.do("(id) => me.discard(id)", unsaid) is True
    await anna.do("() => { globalThis.deaf = null; }")
    server.cut()
    await anna.settled()
    assert await anna.talk(BO) == [("said", "sent")]


# --- whose session it is


@pytest.mark.settings(heartbeat=1)
async def test_a_sign_in_elsewhere_is_not_fought(server: Any, chat: Open) -> None:
    """A sign of life shows it; nothing brings the page back but the person; then the other ends."""
    anna = await chat(ANNA)
    phone = await server.wire(ANNA)
    await anna.until("me.phase === 'replaced'")
    await anna.do("() => { dispatchEvent(new Event('online')); }")
    (waiting,) = await anna.send(BO, "when I am back")
    await asyncio.sleep(0.3)  # longer than the longest pause before connecting
    assert await anna.do("() => me.phase") == "replaced"
    assert "&RES=0&" in await phone.ask(request("Query_Stat2", ANNA, "CM=2&UN=0"))
    await anna.do("() => me.takeBack()")
    await anna.online()
    await anna.settled()
    assert (await anna.do("(id) => kept.get(id)", waiting))["state"] == "sent"
    assert (await phone.ask(request("Query_Stat2", ANNA, "CM=2&UN=0"))).endswith("&RES=20")
    phases = [one["phase"] for one in await anna.heard("phase")]
    assert phases == ["connecting", "online", "replaced", "connecting", "online"]
    await anna.do("() => socket.onclose({ code: 4003 })")  # as a server may say it at once
    assert await anna.do("() => [me.phase, me.endedBy]") == ["replaced", "elsewhere"]


async def test_a_session_that_is_ended_comes_back(server: Any, chat: Open) -> None:
    """An operator ends it: the page knows that nobody signed in elsewhere, and waits."""
    anna = await chat(ANNA)
    assert await anna.do("() => me.endedBy") is None
    assert server.server._services.sessions.kick(ANNA, "be nice")
    await anna.until("me.phase === 'replaced'")
    assert await anna.do("() => me.endedBy") == "here"
    assert await anna.fails("() => me.refresh()") == "offline"
    await anna.do("() => me.takeBack()")
    await anna.online()
    assert await anna.do("() => me.endedBy") is None
    saying = "() => { me.info(10002).catch(({ code }) => { globalThis.code = code; }); }"
    await anna.do("() => { globalThis.mute = /CMD=GetInfo/i; }")
    await anna.do(saying)
    assert server.server._services.sessions.kick(ANNA, "be nice")
    await anna.until("globalThis.code === 'replaced'")


async def test_the_network_or_the_person_comes_back(
    server: Any, chat: Open, complaints: Any
) -> None:
    """Then nobody waits for the next try; and a connection that is dead is found out."""
    complaints.allowed.append("WebSocket")
    slow = {"first": 60_000, "most": 60_000, "answer": 20_000}
    anna = await chat(ANNA, pace=slow)
    await anna.online()
    server.cut()
    await anna.until("me.phase === 'waiting'")
    await anna.do("() => { dispatchEvent(new Event('online')); }")
    await anna.online()
    server.cut()
    await anna.until("me.phase === 'waiting'")
    await anna.do("() => { document.dispatchEvent(new Event('visibilitychange')); }")
    await anna.online()
    await anna.do("() => { document.dispatchEvent(new Event('visibilitychange')); }")
    await anna.until("heard.filter(([, one]) => /QUERY_STAT2/.test(one.line ?? '')).length === 4")
    await anna.do("() => me.stop()")
    await anna.do("() => { dispatchEvent(new Event('online')); }")
    assert await anna.do("() => me.phase") == "stopped"


async def test_a_browser_that_is_signed_out_stays_so(
    server: Any, chat: Open, complaints: Any
) -> None:
    """Whether that happens while it is connected or away, or its number is another's."""
    complaints.allowed.append("WebSocket")
    anna = await chat(ANNA)
    await server.server._visits.end_all(ANNA)
    await anna.until("me.phase === 'signed_out'")
    await server.admit(anna.page.context, ANNA)
    await anna.do("() => me.start()")
    await anna.online()
    bo = await chat(BO)
    await server.stop()
    await bo.until("me.phase === 'waiting'")
    await bo.page.context.clear_cookies()
    await server.start()
    await bo.until("me.phase === 'signed_out'")
    carl = await chat(CARL)
    await carl.page.reload()
    other = Chat(carl.page, DORA)
    await other.start()
    await other.until("me.phase === 'signed_out'")
    ((*_, last),) = [await other.heard("phase")]
    assert last["why"] == "refused: Password error"


async def test_signing_out_confirms_and_ends(server: Any, chat: Open) -> None:
    """What came is confirmed at the end, friends see one go, and one may come back."""
    anna, carl = await chat(ANNA), await server.client(CARL)
    for number in range(3):
        await carl.send(ANNA, f"text {number}")
    await anna.until("kept.unreadOf(10003).then((unread) => unread === 3)")
    await anna.do("() => me.stop()")
    gone = await read_until(carl, lambda push: getattr(push, "status", None) == Status.OFFLINE)
    assert gone.uin == CARL
    await anna.do("() => me.start()")
    await anna.until("heard.filter(([, one]) => one.phase === 'online').length === 2")
    await anna.do("() => me.refresh()")
    seen = await anna.heard("line")
    assert len(lines(seen, "in", "Server_Msg")) == 3
    assert len(lines(seen, "out", "Logout")) == 1


async def test_a_history_that_fails_loses_nothing(server: Any, chat: Open) -> None:
    """Messages are shown and said all the same, that is told, and what came is not confirmed."""
    anna, carl = await chat(ANNA), await server.client(CARL)
    await anna.do(
        """() => {
          const fail = () => Promise.reject(new DOMException("full", "QuotaExceededError"));
          Object.assign(kept, { receive: fail, add: fail, update: fail });
        }"""
    )
    await carl.send(ANNA, "hello")
    await anna.until("heard.some(([type]) => type === 'message')")
    await anna.send(CARL, "hello you")
    assert await read(carl, 1) == ["hello you"]
    await anna.until("heard.some(([, one]) => one.message?.state === 'sent')")
    assert await anna.heard("trouble")
    server.cut()
    await anna.until("heard.filter(([, one]) => /Server_Msg/.test(one.line ?? '')).length === 2")
    await anna.do("() => me.refresh().catch(() => {})")
    assert len(await anna.heard("message")) == 2, "it is shown once"
    assert lines(await anna.heard("line"), "out", "GetMsgEx") == []
    other = await chat(ANNA, context=anna.page.context)
    await other.until("kept.unreadOf(10003).then((unread) => unread === 1)")
    assert await other.texts(CARL) == ["hello"]
