"""What goes over the wire in a town where all sorts of clients are used, as a capture has it.

People of 1.4 on sockets, with our messenger and with lines as other clients wrote them; people who
post with HTTP, in 1.1 and 1.4; programs of 2005. They sign in, misspell passwords, read pictures,
talk, search, make friends, and leave. The server is ours, and every answer is its own.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import count
from typing import BinaryIO

from kqq.capture.events import Closed, Data, End, Opened, Stream
from kqq.capture.writing import Dialogue, PcapWriter
from kqq.client import Address, Messenger, Transport
from kqq.client.transport import Http
from kqq.protocol import Status
from kqq.server.accounts import password_md5
from kqq.testing import PASSWORD, MemoryLink, Town

StreamEvent = Opened | Data | Closed
FRIENDS = ("小波", "Anna", "Ben, the 2nd", "陈晨", "Dora & Co", "Emil", "费费", "Gerd", "何", "Ida")
STRANGERS = ("Jo", "Karl", "Lea", "马力")
MD5 = password_md5(PASSWORD).upper()
XP = "C4CA4238A0B92382"
OTHER_XP = "28F8088A712FE94B"
WORDS = ("hello", "你好, 小波", "100 % sure & glad", "a=b", "see you\nat 8", "?", "吃饭了吗", "ok")
PROFILES: dict[str, dict[str, str]] = {
    "小波": {"age": "20", "sex": "1", "city": "深圳", "province": "2", "about": "我爱编程"},
    "Anna": {"age": "31", "sex": "1", "email": "anna@kqq.example", "blood": "2", "face": "270",
             "phone": "0755-5550100", "postcode": "518000", "job": "teacher", "zodiac": "4"},
    "陈晨": {"age": "19", "sex": "0", "school": "第一中学", "country": "中国", "province": "2",
             "mobile": "13000000000", "constellation": "3", "address": "人民路 1, 2", "id": "x1"},
    "Emil": {"age": "old", "home_page": "http://kqq.example/?a=1&b=2", "real_name": "E. M.",
             "cv": "1", "mt": "a", "mv": "b"},
    "Jo": {"age": "31", "sex": "0", "province": "2", "face": "3"},
}  # fmt: skip


class Tap:
    """A connection that notes what passes; a `Transport`."""

    pushes = True

    def __init__(self, link: MemoryLink, stream: Stream, note: Callable[..., None]) -> None:
        self._link = link
        self._stream = stream
        self._note = note

    async def send(self, data: bytes) -> None:
        """Send, and note it."""
        self._note(self._stream, 0, data)
        await self._link.send(data)

    async def receive(self) -> bytes:
        """Return what came, and note it."""
        data = await self._link.receive()
        if data:
            self._note(self._stream, 1, data)
        return data

    async def close(self) -> None:
        """Close."""
        await self._link.close()


class Tapped:
    """A town whose wires are listened to; `events` is what a capture of it has."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.events: list[StreamEvent] = []
        self._numbers = count(1)
        self._frames = count(1)

    def door(self, name: str) -> Callable[[], Awaitable[Transport]]:
        """Return what opens a connection from somebody's own address."""
        host = f"10.0.0.{self.town[name] % 250}"

        async def connect() -> Transport:
            number = next(self._numbers)
            ends = End(host, 40000 + number % 9000), End("10.9.9.9", 14000)
            stream = Stream(number, ends, 0)
            self.events.append(Opened(stream, self.town.clock.date(), next(self._frames)))
            return Tap(MemoryLink(self.town.server.visitor(), (host, 50000)), stream, self._note)

        return connect

    def open(self, name: str) -> Callable[[Address], Awaitable[Transport]]:
        """Return what a messenger opens connections with."""
        connect = self.door(name)

        async def open_transport(address: Address) -> Transport:
            return Http(address, connect) if address.is_http else await connect()

        return open_transport

    def _note(self, stream: Stream, way: int, data: bytes) -> None:
        date = self.town.clock.date()
        self.events.append(Data(stream, way, date, next(self._frames), data))


class Phone:
    """Somebody who writes lines by hand; `end` is what their client ends a line with."""

    def __init__(
        self, tapped: Tapped, name: str, *, ver: str = "1.4", http: bool = False, end: str = "\r\n",
        seq: int = 200, step: int = 1,
    ) -> None:  # fmt: skip
        self._tapped = tapped
        self._connect = tapped.door(name)
        self._ver = ver
        self._con = "0" if http else "1"
        self._http = http
        self._end = end
        self._seq = count(seq, step)
        self._transport: Transport | None = None
        self.uin = tapped.town[name]
        self.heard: list[str] = []

    async def say(
        self, command: str, fields: str = "", *, counted: bool = False, sid: str = ""
    ) -> str:
        """Say a command as this client writes it, let time go by, and return what came.

        With `counted`, the length stands before the line, as .NET writes strings (ZN QB).
        """
        head = f"VER={self._ver}"
        seq = next(self._seq)
        xp = OTHER_XP if self._http else "null" if sid == "null" else XP
        if self._ver == "1.4":
            head += f"&CON={self._con}&CMD={command}&SEQ={seq}&UIN={self.uin}"
            head += "" if command == "Login" else f"&SID={sid}&XP={xp}"
        else:
            head += f"&CMD={command}&SEQ={seq}&UIN={self.uin}"
        line = f"{head}&{fields}" if fields else head
        data = (line + ("" if self._http else self._end)).encode()
        prefix = bytes((len(data) & 127 | 128, len(data) >> 7)) if counted else b""
        return await self.write(prefix + data)

    async def write(self, data: bytes) -> str:
        """Write bytes, let time go by, and return what came."""
        if self._transport is None:
            self._transport = (
                Http(Address("town.example", 14000, "http"), self._connect)
                if self._http
                else await self._connect()
            )
        await self._transport.send(data)
        town = self._tapped.town
        await town.settle()
        town.clock.advance(0.03)
        came = b""
        if isinstance(self._transport, Tap):
            while self._transport._link.writes and self._transport._link.writes[0]:
                came += await self._transport.receive()
        else:
            came = await self._transport.receive()
        await town.advance(1.5)
        return came.decode()

    async def sign_in(self, password: str = MD5, *, counted: bool = False) -> str:
        """Sign in as clients of this version do, and read the picture if there is one."""
        lc = {"1.4": "812822641C978097", "1.3": "B58D4DF7758A47E7"}.get(
            self._ver, "9326B87B234E7235"
        )
        gd = "".join(random.Random(self.uin).choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=16))
        tail = {"1.4": f"&LG=0&LC={lc}&GD={gd}&CKE=", "1.3": f"&LC={lc}&CKE=0"}.get(
            self._ver, f"&LC={lc}"
        )
        came = await self.say("Login", f"PS={password}&M5=1{tail}", counted=counted)
        if "VERIFYCODE" in came:
            wrong = await self.say("VERIFYCODE", "SC=2&VC=AAAA", sid="null")
            assert "VERIFYCODE" in wrong
            letters = self._tapped.town.letters
            came = await self.say("VERIFYCODE", f"SC=2&VC={letters}", sid="null")
        return came

    async def leave(self) -> None:
        """Sign out and hang up."""
        await self.say("Logout")
        if self._transport is not None:
            await self._transport.close()
            self._transport = None


@asynccontextmanager
async def _a_town(**settings: str) -> AsyncIterator[Tapped]:
    async with Town(*FRIENDS, strangers=STRANGERS, **settings) as town:
        for name, values in PROFILES.items():
            await town.change(name, **values)
        yield Tapped(town)


async def town_traffic(*, rounds: int = 3) -> list[StreamEvent]:
    """Return what passed in some days of a town, and in one that shows pictures."""
    dice = random.Random(7)
    async with _a_town() as tapped:
        for number in range(rounds):
            await _sockets(tapped, dice, number)
            await _messengers(tapped, dice)
            await _posts(tapped, dice)
        events = tapped.events
    async with _a_town(captcha="always") as tapped:
        tapped._numbers = count(10_000)
        for name in FRIENDS[:4]:
            phone = Phone(tapped, name, seq=dice.randrange(200, 300))
            assert "RS=0" in await phone.sign_in()
            await phone.leave()
    return events + tapped.events


async def _sockets(tapped: Tapped, dice: random.Random, number: int) -> None:
    """Phones of 1.4, and clients that write as they do, each with its own habits."""
    town = tapped.town
    phones = []
    for place, name in enumerate(FRIENDS[:7]):
        phone = Phone(tapped, name, seq=dice.randrange(200, 300),
                      end="\n" if place in (1, 4) else "\r\n")  # fmt: skip
        if place == 2:
            assert "RS=1" in await phone.sign_in("0" * 32)
        assert "RS=0" in await phone.sign_in(counted=place == 4)
        await phone.say("SimpleInfo2", "UN=0&TO=0")
        await phone.say("Query_Stat2", "CM=2&UN=0")
        phones.append(phone)
    for _ in range(12):
        phone = dice.choice(phones)
        other = town[dice.choice(FRIENDS)]
        if other != phone.uin:
            words = dice.choice(WORDS).replace("%", "%25").replace("&", "%26")
            words = words.replace(",", "%2c").replace("\n", "%0a")
            await phone.say("CLTMSG", f"UN={other}&MG={words}")
        await dice.choice(phones).say("Query_Stat2", "CM=2&UN=0")
    for phone in phones:
        await phone.say("Change_Stat", f"ST={dice.choice((30, 40, 50, 10))}")
        await phone.say("GetInfo", f"LV={dice.choice((1, 2, 3))}&UN={town[dice.choice(FRIENDS)]}")
    await phones[0].say("Change_Stat2", "ST=10")
    await phones[0].say("GROUP_CMD", "LV=2&UN=1")
    await phones[1].say("Finger", f"AG={'31' if number else ''}&SX={number % 2}&PV=2")
    await phones[2].say("Finger", "AG=&SX=&PV=")
    await _friends(tapped, phones[number])
    for phone in phones:
        await phone.leave()
    await phones[3].say("Query_Stat2", "CM=2&UN=0")


async def _friends(tapped: Tapped, phone: Phone) -> None:
    """Somebody asks others to be friends, who accept, refuse or allow it."""
    town = tapped.town
    others = [Phone(tapped, name, seq=7) for name in STRANGERS[:3]]
    for place, other in enumerate(others):
        await other.sign_in()
        await phone.say("AddToList", f"UN={other.uin}")
        await phone.say(
            "Ack_AddToList", f"UN={other.uin}&CD=2&RS={('', 'it is me', '是我')[place]}"
        )
        answer = ("CD=0&RS=", "CD=1&RS=who are you?", "CD=0&RS=好")[place]
        await other.say("Ack_AddToList", f"UN={phone.uin}&{answer}")
        await other.say("SimpleInfo2", "UN=0&TO=0")
        await phone.say("DelFromList", f"UN={other.uin}")
        await other.leave()
    await town.change(STRANGERS[0], who_may_add="anyone")
    await phone.say("AddToList", f"UN={others[0].uin}")
    await phone.say("DelFromList", f"UN={others[0].uin}")
    await town.change(STRANGERS[0], who_may_add="ask")


async def _messengers(tapped: Tapped, dice: random.Random) -> None:
    """Our own messenger, on a socket and posting."""
    town = tapped.town
    messengers = []
    for name, scheme in (("Gerd", "tcp"), ("何", "tcp"), ("Ida", "http")):
        messenger = Messenger(
            town[name], PASSWORD, [Address("town.example", 14000, scheme)],
            connect=tapped.open(name), now=town.clock.date, sleep=town.clock.sleep,
            random=dice.random,
        )  # fmt: skip
        await messenger.start()
        await town.advance(5)
        messengers.append(messenger)
    for messenger in messengers * 2:
        await messenger.send(town[dice.choice(FRIENDS[:7])], dice.choice(WORDS))
        await town.advance(40)
    await messengers[0].change_status(Status.AWAY)
    await town.advance(130)
    await _old_programs(tapped, dice)
    for messenger in messengers:
        await messenger.close()


async def _posts(tapped: Tapped, dice: random.Random) -> None:
    """1.4 over HTTP, as web pages of that time did it."""
    town = tapped.town
    phones = [Phone(tapped, name, http=True, seq=1 + place) for place, name in enumerate(
        FRIENDS[:3])]  # fmt: skip
    for phone in phones:
        assert "RS=0" in await phone.sign_in()
        await phone.say("List", "TN=160&UN=0")
        await phone.say("GetMsgEx")
    for _ in range(8):
        for phone in phones:
            other = dice.choice(phones)
            if other is not phone:
                await phone.say("CLTMSG", f"UN={other.uin}&MG={dice.choice(WORDS[:2])}")
        await dice.choice(phones).say("GetMsgEx")
    for phone in phones:
        await phone.say("GetMsgEx")
        await phone.say("Change_Stat", "ST=40")
        await phone.say("GetInfo", f"LV=2&UN={town[dice.choice(list(PROFILES))]}")
        assert "RES=5" in await phone.say("GetInfo", "LV=2&UN=99")
        await phone.leave()
        assert "RES=20" in await phone.say("GetMsgEx")


async def _old_programs(tapped: Tapped, dice: random.Random) -> None:
    """Programs of 2005, which post 1.0, 1.1 and 1.3, and write passwords small."""
    versions = (("1.0", "1.1", "1.3"), ("1.1", "1.0", "1.1"))[dice.randrange(2)]
    for ver, name in zip(versions, FRIENDS[3:6], strict=True):
        phone = Phone(tapped, name, ver=ver, http=True, seq=dice.randrange(10, 99), step=1)
        assert "RS=0" in await phone.sign_in(MD5.lower())
        await phone.say("List", "TN=160&UN=0")
        await phone.say("Query_Stat", "TN=50&UN=0")
        await phone.say("GetInfo", f"LV={dice.choice((1, 2, 3))}&UN={phone.uin}")
        await phone.say("CLTMSG", f"UN={tapped.town[FRIENDS[2]]}&MG=old words")
        await phone.say("GetMsgEx")
        await phone.leave()


def as_capture(events: Iterable[StreamEvent], file: BinaryIO) -> None:
    """Write a pcap file of what passed."""
    writer = PcapWriter(file)
    dialogues: dict[int, Dialogue] = {}
    for event in events:
        stream = event.stream
        if isinstance(event, Opened):
            dialogue = dialogues[stream.number] = Dialogue(writer.write, *stream.ends)
            dialogue.open(event.time)
        elif isinstance(event, Data):
            dialogues[stream.number].say(event.way, event.time, event.data)
        else:
            dialogues[stream.number].close(event.time)
