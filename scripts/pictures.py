"""Make the pictures of the documents: an evening in May 2014, in the chat and on the wire.

The chat is played on a server in memory; a capture of that evening, which `kqq diagram` and
`kqq report` draw, is written packet by packet.

All chance comes from one seed and all times are set, so that the files are the same each time.
"""

import asyncio
import hashlib
import html
import io
import itertools
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.cells import split_graphemes
from textual.app import App
from textual.pilot import Pilot

from kqq.address import Door
from kqq.capture.events import End
from kqq.capture.sources import read_file
from kqq.capture.writing import Dialogue, PcapWriter
from kqq.charts.figures import Figures
from kqq.charts.page import report_page
from kqq.charts.sequence import sequence
from kqq.charts.svg import sequence_svg
from kqq.client.client import AskCaptcha, Client
from kqq.client.messenger import Messenger
from kqq.client.tcp import Address
from kqq.protocol import (
    V1_1,
    AddToList,
    CaptchaAnswer,
    CaptchaChallenge,
    CltMsg,
    CltMsgReply,
    Failure,
    GetMsgEx,
    GetMsgExReply,
    Line,
    Login,
    LoginReply,
    Logout,
    LogoutReply,
    Message,
    QueryStat,
    QueryStat2,
    QueryStat2Reply,
    QueryStatReply,
    Request,
    ServerMsg,
    SimpleInfo2,
    SimpleInfo2Reply,
    Status,
    UpdateStat,
    encode,
    http_request,
    http_response,
)
from kqq.proxy.relay import Relay
from kqq.proxy.rules import Orders
from kqq.proxy.screen import ProxyApp
from kqq.server.picture import draw
from kqq.testing import PASSWORD, Town
from kqq.tui import ChatApp
from kqq.tui.chat import Watch
from kqq.tui.sign_in import Captcha
from kqq.tui.wire_pane import WireLog
from kqq.words import use_language

FOLDER = Path(__file__).parent.parent / "docs/pictures"
EVENING = 1_400_065_200.0  # 14 May 2014, 19:00 in Shanghai
FRIENDS = ("小波", "Bob", "林小雨", "Julia", "老王", "Marie", "阿杰")
FONTS = (
    "ui-monospace, 'Cascadia Mono', 'DejaVu Sans Mono', Menlo, Consolas, 'Noto Sans Mono CJK SC', "
    "'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', monospace"
)
CELL = 12.2  # units of rich's drawing that a column has
TALK = [
    (-1612, "小波", "你好，Anna！周末的照片我洗出来了。"),
    (-1610, "Anna", "太好了！Can you bring them on Wednesday?"),
    (-1609, "小波", "没问题 👍"),
    (2, "小波", "今晚去看电影吗？《大话西游》重映，七点半，人民广场。"),
    (3, "Anna", "I have never seen it on a big screen. 好啊！"),
    (4, "Anna", "Shall we meet at the entrance at 19:20?"),
    (5, "小波", "好，老地方见。爆米花我请，你带上林小雨，她还没看过。"),
    (6, "Anna", "I will ask her. 一会儿见！"),
]


class Scene:
    """A town in which an evening is played, with a clock that says when."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.minutes = 0.0
        self.lines = 0

    def now(self) -> float:
        """Return the time of the evening."""
        return EVENING + self.minutes * 60

    def when_said(self) -> float:
        """Return the time of the next line on the wire, some milliseconds after the last."""
        self.lines += 1
        return self.now() + self.lines * 0.017 % 40

    def make(self, ask: AskCaptcha, watch: Watch, password: str | None) -> Messenger:
        """Return Anna's messenger."""
        town = self.town
        return Messenger(
            town["Anna"],
            password or PASSWORD,
            [town.address()],
            ask=ask,
            watch=watch,
            connect=town.door("Anna"),
            now=self.now,
            sleep=town.clock.sleep,
        )


async def until(pilot: Pilot[int], holds: Callable[[], object]) -> None:
    for _ in range(1000):
        if holds():
            await pilot.pause()
            return
        await pilot.pause(0.005)
    raise AssertionError("the evening does not go on")


@asynccontextmanager
async def evening(
    size: tuple[int, int], *, dark: bool = True, **town_is: Any
) -> AsyncIterator[tuple[Scene, ChatApp, Pilot[int]]]:
    """Begin an evening; Anna's screen is `size`."""
    random.seed(10001)
    async with Town("Anna", *FRIENDS, strangers=("Paris",), **town_is) as town:
        scene = Scene(town)
        app = ChatApp(scene.make, now=scene.now, dark=dark, environment={})
        app.wire = WireLog(scene.when_said)
        async with app.run_test(size=size) as pilot:
            app.talk.composer.cursor_blink = False
            yield scene, app, pilot
            if app.messenger is not None:
                await app.messenger.close()


async def play(scene: Scene, app: ChatApp, pilot: Pilot[int]) -> None:
    """Play the conversation with 小波, and what else happens meanwhile."""
    town = scene.town
    await until(pilot, lambda: app.state.is_online and app.friends.roster.count())
    there: dict[str, Client] = {}
    for name in ("小波", "林小雨", "Julia", "老王"):
        there[name] = await town.client(name)
    await there["Julia"].change_status(Status.AWAY)
    await there["老王"].change_status(Status.DO_NOT_DISTURB)
    app.open_talk(town["小波"])
    await until(pilot, lambda: app.is_in_view(town["小波"]))
    for minute, who, text in TALK:
        scene.minutes = minute
        if who == "Anna":
            message = app.messenger.write(town["小波"], text) if app.messenger else None
            assert message is not None
        else:
            await there[who].send(town["Anna"], text)
        await town.settle()
        await pilot.pause()
    for text in ("在吗？", "Are you free on Sunday?"):
        await there["林小雨"].send(town["Anna"], text)
    paris = await town.client("Paris")
    await paris.add(town["Anna"])
    await paris.request(town["Anna"], "Hi, it is Paris. 我们在书店见过。")
    await until(pilot, lambda: app.state.requests)
    app.clear_notifications()
    await until(pilot, lambda: app.state.unread == 2)


async def drawn(app: App[int], pilot: Pilot[int], title: str = "kqq chat") -> str:
    """Return the picture of the screen, once all is drawn and nothing changes any more."""
    last, same = "", 0
    while same < 5:
        await pilot.pause(0.06)
        svg = app.export_screenshot(title=title)
        last, same = svg, same + 1 if svg == last else 0
    return tidied(last)


async def chat(*, dark: bool = True) -> str:
    """A conversation beside the friends."""
    async with evening((110, 32), dark=dark) as (scene, app, pilot):
        await play(scene, app, pilot)
        app.talk.composer.text = "记得带伞，it may rain"
        app.talk.composer.move_cursor(app.talk.composer.document.end)
        return await drawn(app, pilot)


async def light() -> str:
    """The same in the light theme."""
    return await chat(dark=False)


async def narrow() -> str:
    """A conversation in forty columns."""
    async with evening((40, 24)) as (scene, app, pilot):
        await play(scene, app, pilot)
        return await drawn(app, pilot)


async def wire() -> str:
    """The wire below the conversation, a message explained field by field."""
    async with evening((120, 40)) as (scene, app, pilot):
        await play(scene, app, pilot)
        await pilot.press("f2")
        rows = app.wire_pane.rows
        own = [
            place
            for place, one in enumerate(app.wire.lines)
            if one.is_own and one.line.values().get("CMD") == "CLTMSG"
        ]
        rows.cursor = own[-1]
        await pilot.pause()
        app.wire_pane.fields.cursor = app.wire_pane.fields.count() - 1
        return await drawn(app, pilot)


async def captcha() -> str:
    """The letters that a server wants to be read before a sign-in."""
    async with evening((80, 28), captcha="always") as (scene, app, pilot):
        await until(pilot, lambda: isinstance(app.screen, Captcha))
        await pilot.press(*scene.town.letters[:2].lower())
        app.screen.query_one("#picture-file").display = False  # a path of this machine
        return await drawn(app, pilot)


# --- the same evening on the wire ----------------------------------------------------------------

ANNA, BOBO, BOB, YU = 10001, 10002, 10003, 10004  # numbers in the capture
SERVER = "198.51.100.7"
MD5 = hashlib.md5(PASSWORD.encode(), usedforsecurity=False).hexdigest().upper()


class Wire:
    """A capture in the making: lines over TCP, and lines posted over HTTP."""

    def __init__(self) -> None:
        self.file = io.BytesIO()
        self.write = PcapWriter(self.file).write
        self.time = EVENING
        self.ports = itertools.count(40001)

    def talk(self, host: str, port: int = 14000) -> Dialogue:
        """Open a connection."""
        talk = Dialogue(self.write, End(host, next(self.ports)), End(SERVER, port))
        talk.open(self.time, delay=0.004)
        self.time += 0.02
        return talk

    def say(self, talk: Dialogue, message: Message | bytes, took: float = 0.03) -> None:
        """Send a line and let time pass; who sends it is told by what it is."""
        is_request = isinstance(message, Request | bytes)
        raw = message if isinstance(message, bytes) else encode(message)
        talk.say(0 if is_request else 1, self.time, raw + b"\r\n")
        self.time += took

    def post(self, host: str, request: Message | bytes, answer: Message, took: float) -> None:
        """Post a line, as clients do that have no socket, and get the answer."""
        talk = self.talk(host, 80)
        raw = request if isinstance(request, bytes) else encode(request)
        talk.say(0, self.time, http_request(SERVER, 80, raw))
        talk.say(1, self.time + took, http_response(encode(answer)))
        talk.close(self.time + took + 0.01)
        self.time += took + 0.02


def capture() -> bytes:
    """The evening as a capture: Anna over TCP, 小波 over HTTP."""
    wire = Wire()
    anna = wire.talk("192.0.2.10")
    login = Login(
        seq="200",
        uin=ANNA,
        password_md5=MD5,
        login_status=0,
        licence="812822641C978097",
        device="QU7YM68W72T5EJZF",
        cookie="",
    )
    wire.say(anna, login, 0.061)
    letters = draw("K3PX", random.Random(10001).randbytes)
    wire.say(anna, CaptchaChallenge(seq="200", uin=ANNA, image=letters), 8.3)
    wire.say(anna, CaptchaAnswer(seq="201", uin=ANNA, letters="K3PX"), 0.083)
    signed_in = LoginReply(
        seq="201", uin=ANNA, result=0, heartbeat=60, lifetime=300, sg="5A" * 32, ssg="42"
    )
    wire.say(anna, signed_in)
    wire.say(anna, SimpleInfo2(seq="202", uin=ANNA), 0.044)
    friends = (BOBO, BOB, YU)
    names = ("小波", "Bob", "林小雨")
    wire.say(
        anna,
        SimpleInfo2Reply(
            seq="202",
            uin=ANNA,
            next_page=65535,
            entries=3,
            numbers=friends,
            faces=(3, 0, 9),
            nicks=names,
        ),
    )
    wire.say(anna, QueryStat2(seq="203", uin=ANNA), 0.039)
    statuses = (20, 10, 30)
    wire.say(
        anna,
        QueryStat2Reply(seq="203", uin=ANNA, last=1, entries=3, statuses=statuses, numbers=friends),
        12.4,
    )
    first = Login(seq="1", uin=BOBO, head=V1_1, password_md5=MD5, licence="9326B87B234E7235")
    hello = LoginReply(seq="1", uin=BOBO, result=0, heartbeat=60, lifetime=300)
    wire.post("203.0.113.5", first, hello, 0.142)
    who = QueryStat(seq="2", uin=BOBO, head=V1_1)
    there = QueryStatReply(
        seq="2",
        uin=BOBO,
        faces=(6,),
        last=1,
        entries=1,
        statuses=(10,),
        numbers=(ANNA,),
        nicks=("Anna",),
    )
    wire.post("203.0.113.5", who, there, 0.117)
    wire.say(anna, UpdateStat(seq="1400065221", uin=ANNA, status=10, number=BOBO), 105.0)
    invitation = "今晚去看电影吗？《大话西游》重映，七点半。"
    wire.say(anna, CltMsg(seq="204", uin=ANNA, to=BOBO, text=invitation), 0.052)
    wire.say(anna, CltMsgReply(seq="204", uin=ANNA), 2.6)
    poll = GetMsgEx(seq="3", uin=BOBO, head=V1_1)
    waiting = GetMsgExReply(
        seq="3", uin=BOBO, count=1, types=(9,), numbers=(ANNA,), texts=(invitation,)
    )
    wire.post("203.0.113.5", poll, waiting, 0.121)
    wire.time += 19.0
    answer = "好啊！I have never seen it on a big screen."
    said = encode(CltMsg(seq="4", uin=BOBO, head=V1_1, to=ANNA, text=answer))
    wire.post("203.0.113.5", b"\x00\x5c" + said, CltMsgReply(seq="4", uin=BOBO), 0.133)
    pushed = ServerMsg(seq="1400065353", uin=ANNA, sender=BOBO, text=answer)
    wire.say(anna, pushed, 31.0)
    wire.say(anna, AddToList(seq="205", uin=ANNA, number=10999), 0.048)
    wire.say(anna, Failure(seq="205", uin=ANNA, name="ADDTOLIST", res=5), 14.0)
    wire.say(anna, UpdateStat(seq="1400065399", uin=ANNA, status=50, number=YU), 40.0)
    wire.say(anna, Logout(seq="206", uin=ANNA), 0.037)
    wire.say(anna, LogoutReply(seq="206", uin=ANNA), 0.2)
    anna.close(wire.time)
    return wire.file.getvalue()


async def evening_capture() -> bytes:
    """The capture itself, to try the commands with."""
    return capture()


async def diagram() -> str:
    """The capture as a sequence diagram."""
    chart = sequence(read_file(io.BytesIO(capture())), title="An evening in May 2014")
    return sequence_svg(chart)


async def report() -> str:
    """The capture as a page."""
    figures = Figures().take_all(read_file(io.BytesIO(capture())))
    return "".join(report_page(figures, title="An evening in May 2014"))


_ANSWERS = {
    "Login": ["CMD=Login&SEQ={seq}&UIN=10001&RES=0&RS=0&HI=60&LI=300&SG=00&SSG=1"],
    "Query_Stat2": ["CMD=QUERY_STAT2&SEQ={seq}&UIN=10001&RES=0&FN=1&SN=1&ST=10,&UN=10002,"],
    "CLTMSG": [
        "CMD=CLTMSG&SEQ={seq}&UIN=10001&RES=0",
        "CMD=Server_Msg&SEQ=1000000007&UIN=10001&RES=0&MN=1&MT=9&UN=10002&MG=好的，七点见！",
    ],
}
_HEAD = "VER=1.4&CON=1&CMD={}&SEQ={}&UIN=10001"
_SESSION = "&SID=&XP=C4CA4238A0B92382"


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Be the server behind the proxy."""
    while line := (await reader.readline()).decode():
        fields = Line.decode(line.encode()).values()
        for answer in _ANSWERS[fields["CMD"]]:
            writer.write(f"VER=1.1&{answer.format(seq=fields['SEQ'])}\r\n".encode())
    writer.close()


async def proxy() -> str:
    """The proxy holds a line that somebody wants to change."""
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    orders, clock = Orders(), iter(EVENING + 7.3 * place for place in range(10_000))
    relay = Relay(Address.parse(f"tcp://127.0.0.1:{port}"), judge=orders.judge, now=clock.__next__)
    listening = await relay.open(Door.parse("kqq://127.0.0.1:0"))
    app = ProxyApp(relay, orders, "kqq://127.0.0.1:14001", now=lambda: EVENING)
    try:
        async with app.run_test(size=(110, 32)) as pilot:
            reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
            more = "&PS=" + "0" * 32 + "&M5=1&LG=0&LC=812822641C978097&GD=&CKE="
            for line, answers in (
                (_HEAD.format("Login", 200) + more, 1),
                (_HEAD.format("Query_Stat2", 201) + _SESSION + "&CM=2&UN=0", 1),
                (_HEAD.format("CLTMSG", 202) + _SESSION + "&UN=10002&MG=今晚老地方？", 2),
            ):
                writer.write(f"{line}\r\n".encode())
                for _ in range(answers):
                    await reader.readline()
            await pilot.press("space")
            words = "&UN=10002&MG=See you at seven%2c then"
            writer.write(f"{_HEAD.format('CLTMSG', 203)}{_SESSION}{words}\r\n".encode())
            await pilot.pause(0.5)
            picture = await drawn(app, pilot, title="kqq proxy")
            await pilot.press("space")
            writer.close()
            await pilot.pause(0.5)  # until the server has gone, too
            return picture.replace(f":{port}", ":14000")
    finally:
        await relay.close()
        server.close()


PICTURES: dict[str, Callable[[], Awaitable[str | bytes]]] = {
    "chat.svg": chat,
    "chat-light.svg": light,
    "chat-narrow.svg": narrow,
    "chat-wire.svg": wire,
    "chat-captcha.svg": captcha,
    "evening.pcap": evening_capture,
    "diagram.svg": diagram,
    "report.html": report,
    "proxy.svg": proxy,
}


def tidied(svg: str) -> str:
    """Return a picture of rich's that fetches nothing, and whose wide signs take two columns."""
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"\s*<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = svg.replace("font-family: Fira Code, monospace", f"font-family: {FONTS}")
    svg = svg.replace("font-family: arial", "font-family: system-ui, sans-serif")
    start = r'<text class="([^"]*-r\d+)" x="([^"]*)" y="([^"]*)" textLength="[^"]*" ([^>]*)>'
    return re.sub(start + "(.*?)</text>", _in_columns, svg) + "\n"


def _in_columns(found: re.Match[str]) -> str:
    """Return a text as one element for each run of signs of the same width."""
    style, x, y, rest, text = found.groups()
    runs: list[tuple[str, int, int]] = []  # words, columns of a sign, columns in all
    plain = html.unescape(text)
    for start, end, cells in split_graphemes(plain)[0]:
        sign = plain[start:end]
        if runs and runs[-1][1] == cells == 1:
            runs[-1] = (runs[-1][0] + sign, 1, runs[-1][2] + 1)
        else:
            runs.append((sign, cells, cells))
    parts, place = [], float(x)
    for words, _, cells in runs:
        if words.strip("\xa0 "):
            escaped = html.escape(words).replace(" ", "&#160;").replace("\xa0", "&#160;")
            parts.append(
                f'<text class="{style}" x="{place:.6g}" y="{y}" '
                f'textLength="{cells * CELL:.6g}" {rest}>{escaped}</text>'
            )
        place += cells * CELL
    return "".join(parts)


async def _made(name: str) -> str | bytes:
    return await PICTURES[name]()


def main() -> None:
    os.environ["TZ"] = "Asia/Shanghai"
    time.tzset()
    use_language("en")
    os.urandom = random.randbytes  # captchas, too, are the same
    wanted = sys.argv[1:] or list(PICTURES)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache
        for name in wanted:
            made = asyncio.run(_made(name))
            (FOLDER / name).write_bytes(made if isinstance(made, bytes) else made.encode())
            print(f"wrote docs/pictures/{name}")


if __name__ == "__main__":
    main()
