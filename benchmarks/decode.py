"""How many messages a second `kqq decode --json` reads from a capture, as a ratio to tshark.

    python benchmarks/decode.py [--messages 200000] [--json] [--keep FILE]

Makes a capture of mixed traffic: phones that stay connected and chat, and phones that poll over
HTTP; Chinese texts, lists of friends, captchas, lines split over segments and several in one, some
segments twice. Both programs read it in turn and write JSON into a pipe, where their messages are
counted; the numbers must be equal. tshark runs with the dissector that `kqq dissector` prints.
The goals are 3 times the messages a second, and less than 200 MiB; exit code 1 says that one was
missed, 2 that tshark is not installed.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from kqq.capture.events import End
from kqq.capture.writing import Dialogue, PcapWriter
from kqq.dissector.lua import dissector
from kqq.protocol.post import http_request, http_response

RATIO = 3.0
MEMORY = 200.0  # MiB
START = 1_400_000_000.0
FIRST = 10001
PHONES = 60
SERVER = End("198.51.100.7", 14000)
XP = "&SID=&XP=C4CA4238A0B92382"
NAMES = ("罗密欧", "朱丽叶", "Mercutio", "奶妈", "Benvolio", "劳伦斯神父", "Tybalt%2c the cat")
TEXTS = (
    "but soft%2c what light through yonder window breaks?",
    "轻声！那边窗子里亮起来的是什么光？",
    "今天晚上七点老地方见%2c 别迟到了",
    "ok",
    "100%25 %26 more",
    "一行%0a两行",
    "好的好的好的好的好的好的好的好的好的好的好的好的好的好的好的好的好的好的好的好的",
)
PICTURE = "89504e470d0a1a0a0000000d49484452" + "5a" * 600


class Phone:
    """A person on the phone: a connection that stays, or a post for each request."""

    def __init__(self, number: int, traffic: "Traffic", *, polls: bool) -> None:
        self.uin = FIRST + number
        self.polls = polls
        self._traffic = traffic
        self._seq = 200 + number
        self._port = 20000 + number * 500
        self._open: Dialogue | None = None

    def ask(self, command: str, fields: str = "", echo: str = "", reply: str = "") -> None:
        """Send a request; the server answers with `RES=0` and the fields in `reply`."""
        self._seq += 1
        traffic = self._traffic
        head = "VER=1.4&CON=1" if not self.polls else "VER=1.1"
        own = XP if not self.polls and command != "Login" else ""
        line = f"{head}&CMD={command}&SEQ={self._seq}&UIN={self.uin}{own}{fields}".encode()
        name = echo or command.upper()
        answer = f"VER=1.1&CMD={name}&SEQ={self._seq}&UIN={self.uin}&RES=0{reply}\r\n".encode()
        traffic.messages += 2
        if self.polls:
            talk = self._dialogue()
            talk.open(traffic.now)
            traffic.say(talk, 0, http_request(SERVER.host, SERVER.port, line))
            traffic.say(talk, 1, http_response(answer))
            talk.close(traffic.now, way=1)
            return
        talk = self.connection()
        traffic.say(talk, 0, line + b"\r\n")
        traffic.say(talk, 1, answer)

    def hear(self, name: str, fields: str) -> bytes:
        """Return a line that the server sends unasked."""
        traffic = self._traffic
        traffic.messages += 1
        traffic.pushes += 1
        seq = 1_000_000_000 + traffic.pushes
        return f"VER=1.1&CMD={name}&SEQ={seq}&UIN={self.uin}&RES=0{fields}\r\n".encode()

    def connection(self) -> Dialogue:
        """Return the connection that stays, opened now if it is not."""
        if self._open is None:
            self._open = self._dialogue()
            self._open.open(self._traffic.now)
        return self._open

    def _dialogue(self) -> Dialogue:
        self._port = 20000 if self._port >= 60000 else self._port + 1
        number = self.uin - FIRST
        client = End(f"192.0.2.{number + 1}", self._port)
        first = (self._traffic.random.randrange(2**32), self._traffic.random.randrange(2**32))
        return Dialogue(self._traffic.write, client, SERVER, first=first)


class Traffic:
    """All that is said, packet after packet; `messages` counts the lines."""

    def __init__(self, write: Callable[[float, bytes], object], seed: int = 1) -> None:
        self.write = write
        self.random = random.Random(seed)
        self.messages = 0
        self.pushes = 0
        self.now = START
        self.phones = [Phone(number, self, polls=number % 5 == 0) for number in range(PHONES)]

    def say(self, talk: Dialogue, way: int, data: bytes) -> None:
        """Say some bytes: split now and then, and now and then with a segment twice."""
        self.now += 0.002
        chance = self.random.random()
        if chance < 0.05 and len(data) > 10:
            place = self.random.randrange(1, len(data))
            talk.say(way, self.now, data[:place], is_acknowledged=False)
            talk.say(way, self.now + 0.0005, data[place:])
            return
        if chance > 0.995:
            self.write(self.now, talk.packet(way, next(talk.parts(data))))
        talk.say(way, self.now, data)

    def sign_in(self, phone: Phone) -> None:
        """Sign in, sometimes by way of a captcha."""
        secret = "&PS=5EBE2294ECD0E0F08EAB7690D2A6EE69&M5=1&LG=0&LC=812822641C978097"
        fields = f"{secret}&GD=QU7YM68W72T5EJZF&CKE="
        keys = f"&RS=0&HI=60&LI=300&SG={'ab12cd34' * 8}&SSG=2618000001"
        if self.random.random() < 0.3:
            phone.ask("Login", fields, "VERIFYCODE", f"&SC=1&NT=&VC={PICTURE}")
            phone.ask("VERIFYCODE", "&SC=2&VC=DBVP", "Login", keys)
        else:
            phone.ask("Login", fields, "Login", keys)

    def friends(self, phone: Phone) -> None:
        """Fetch a page of the friend list, or the statuses of the friends."""
        count = self.random.randrange(5, 50)
        numbers = "".join(f"{FIRST + number}," for number in range(count))
        if self.random.random() < 0.5:
            faces = "".join(f"{number * 3}," for number in range(count))
            nicks = "".join(f"{NAMES[number % len(NAMES)]}," for number in range(count))
            page = f"&NP=65535&SN={count}&UN={numbers}&FC={faces}&NK={nicks}"
            phone.ask("SimpleInfo2", "&UN=0&TO=0", reply=page)
        else:
            page = f"&FN=1&SN={count}&ST={'10,' * count}&UN={numbers}"
            phone.ask("Query_Stat2", "&CM=2&UN=0", reply=page)

    def chat(self, phone: Phone) -> None:
        """Send a message, which is pushed to a friend who is connected."""
        other = self.random.choice(self.phones)
        text = self.random.choice(TEXTS)
        phone.ask("CLTMSG", f"&UN={other.uin}&MG={text}")
        if not other.polls:
            push = other.hear("Server_Msg", f"&MN=1&MT=9&UN={phone.uin}&MG={text}")
            if self.random.random() < 0.3:
                push += other.hear("update_stat", f"&ST=30&UN={phone.uin}")
            self.say(other.connection(), 1, push)

    def poll(self, phone: Phone) -> None:
        """Fetch what waits: mostly nothing."""
        texts = "&MN=0"
        if self.random.random() < 0.3:
            texts = f"&MN=2&MT=9,9,&UN=10002,10003,&MG={TEXTS[1]},{TEXTS[0]},"
        phone.ask("GetMsgEx", reply=texts)

    def step(self) -> None:
        """Let somebody do something."""
        phone = self.random.choice(self.phones)
        self.now += self.random.random() / 20
        chance = self.random.random()
        if chance < 0.02:
            self.sign_in(phone)
        elif chance < 0.10:
            self.friends(phone)
        elif chance < 0.14:
            phone.ask("Change_Stat", f"&ST={self.random.choice((10, 30, 40))}")
        elif chance < 0.18:
            about = f"&AD=&AG=20&EM=&FC=270&HP=&JB=&LV=2&PC=&PH=&PR={TEXTS[2]}&PV=&RN=&SC=&SX=1"
            phone.ask("GetInfo", "&LV=2&UN=10002", reply=f"{about}&UN=10002&NK={NAMES[1]}")
        elif phone.polls and chance < 0.7:
            self.poll(phone)
        else:
            self.chat(phone)


def make(path: Path, messages: int) -> int:
    """Write a capture with at least so many messages; return how many it has."""
    with path.open("wb") as file:
        traffic = Traffic(PcapWriter(file).write)
        while traffic.messages < messages:
            traffic.step()
    return traffic.messages


@dataclass(frozen=True)
class Result:
    """What a program did: messages found, seconds, and its largest memory in MiB."""

    program: str
    messages: int
    seconds: float
    memory: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds


def pieces(read: Callable[[int], bytes], mark: bytes) -> Iterator[int]:
    """Give how often `mark` is in each piece of a stream, those on a border counted once."""
    rest = b""
    while data := read(1 << 20):
        data = rest + data
        yield data.count(mark)
        rest = data[-(len(mark) - 1) :]


def run(program: str, command: list[str], mark: bytes, env: dict[str, str]) -> Result:
    """Run a program that writes JSON, and count the messages in it."""
    begun = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env
    ) as child:
        assert child.stdout is not None
        found = sum(pieces(child.stdout.read, mark))
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    return Result(program, found, seconds, usage.ru_maxrss / 1024)


def compare(capture: Path, folder: Path, tshark: str) -> list[Result]:
    """Let both programs read the capture, one after the other."""
    script = folder / "kqq.lua"
    script.write_text(dissector(), encoding="utf-8")
    env = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    ours = [sys.executable, "-m", "kqq", "decode", "--json", str(capture)]
    theirs = [tshark, "-X", f"lua_script:{script}", "-r", str(capture), "-T", "json"]
    return [
        run("kqq decode --json", ours, b'"fields": {', env),
        run("tshark -T json", theirs, b'"kqq.kind": "', env),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep the capture there")
    options = parser.parse_args()
    tshark = shutil.which("tshark")
    if tshark is None:
        print("tshark is not installed (Debian: apt-get install tshark)", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        capture = options.keep or folder / "mixed.pcap"
        made = make(capture, options.messages)
        size = capture.stat().st_size / 2**20
        ours, theirs = compare(capture, folder, tshark)
    if not ours.messages == theirs.messages == made:
        counts = f"{ours.messages} by kqq, {theirs.messages} by tshark, {made} were made"
        print(f"the messages found differ: {counts}", file=sys.stderr)
        return 1
    ratio = ours.rate / theirs.rate
    if options.json:
        results = [asdict(one) | {"rate": one.rate} for one in (ours, theirs)]
        print(json.dumps({"messages": made, "results": results, "ratio": ratio}))
    else:
        print(f"{made} messages in a capture of {size:.1f} MiB")
        for one in (ours, theirs):
            speed = f"{one.rate:9.0f} messages/s {one.seconds:8.1f} s"
            print(f"{one.program:<20} {speed} {one.memory:8.0f} MiB at most")
        print(f"ratio                {ratio:9.1f}            (goals: {RATIO:g} or more, ", end="")
        print(f"and less than {MEMORY:g} MiB)")
    return 0 if ratio >= RATIO and ours.memory < MEMORY else 1


if __name__ == "__main__":
    sys.exit(main())
