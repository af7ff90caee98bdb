"""Rules: orders, and what a small Python file can do with lines and connections."""

import os
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from kqq.errors import ConfigError, LocalProtocolError
from kqq.protocol import Role, http_request
from kqq.proxy.passage import Fate
from kqq.proxy.relay import Relay
from kqq.proxy.rules import Orders, RuleLine, Rules, Which, all_of
from proxy.between import PUSH, SAID, SAY, Between, between, passage, said

LISTED = "VER=1.1&CMD=SIMPLEINFO2&SEQ=2&UIN=10001&RES=0&NP=65535&SN=1&UN=10002,&FC=0,&NK=a%2cb,"


# --- orders --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "takes"),
    [
        ("CLTMSG", "say said"),
        ("cltmsg", "say said"),
        ("client:CLTMSG", "say"),
        ("server:CLTMSG", "said"),
        ("server:", "said push list"),
        ("client:*", "say"),
        ("*", "say said push list"),
        ("10002", "say push list"),
        ("server:10002", "push list"),
        ("1000", ""),
        ("/HELLO", "push"),
        ("/a,b", "list"),
        ("client:/hello", ""),
        (" Server_Msg ", "push"),
    ],
)
def test_which_lines_are_meant(source: str, takes: str) -> None:
    """Those of an end, with a command, of a person, or with some words."""
    lines = {
        "say": said(SAY),
        "said": said(SAID, Role.SERVER),
        "push": said(PUSH, Role.SERVER),
        "list": said(LISTED, Role.SERVER),
    }
    which = Which.parse(source)
    assert [name for name, line in lines.items() if which.takes(line)] == takes.split()
    assert which.source == source


@pytest.mark.parametrize("source", ["", "a b", "CMD=x", "/", "client:/", "nobody:x", "你"])
def test_what_says_no_lines(source: str) -> None:
    """One error that says what can be written."""
    with pytest.raises(ConfigError, match="says no lines; write a command"):
        Which.parse(source)


def test_commands_that_nobody_knows() -> None:
    """They can be ordered for, and are known for what they are; other lines have no command."""
    heard_of = ["CLTMSG", "server:Server_Msg", "/CTLMSG", "10001", "*", "client:"]
    assert not any(Which.parse(one).is_unheard_of for one in heard_of)
    assert Which.parse("client:CTLMSG").is_unheard_of


def test_orders_are_followed() -> None:
    """Dropped is dropped; the longest delay counts; what is held is held."""
    orders = Orders(
        drop=[Which.parse("client:GetMsgEx")],
        hold=[Which.parse("/secret")],
        delay=[Orders.parse_delay("CLTMSG=1.5"), Orders.parse_delay("client:=2")],
    )
    dropped = passage("VER=1.4&CMD=GetMsgEx&SEQ=1&UIN=10001")
    orders.judge(dropped)
    assert dropped.fate is Fate.DROPPED
    delayed = passage(SAY)
    orders.judge(delayed)
    assert (delayed.fate, delayed.due) == (Fate.WAITING, 2.0)
    held = passage(SAY.replace("hi", "A Secret"))
    orders.judge(held)
    assert (held.fate, held.due) == (Fate.HELD, 2.0)
    passed = passage(SAID.replace("CLTMSG", "LOGOUT"), Role.SERVER)
    orders.judge(passed)
    assert (passed.fate, passed.due) == (Fate.WAITING, 0.0)


@pytest.mark.parametrize("source", ["CLTMSG", "=2", "CLTMSG=", "CLTMSG=-1", "CLTMSG=nan", "a=1e9"])
def test_what_is_no_delay(source: str) -> None:
    """One error with an example."""
    with pytest.raises(ConfigError, match="write a command and seconds"):
        Orders.parse_delay(source)


def test_after_a_drop_nobody_else_is_asked() -> None:
    """Each judge sees a line in turn."""
    asked: list[str] = []
    judge = all_of([
        lambda one: asked.append("first"),
        lambda one: one.drop(),
        lambda one: asked.append("last"),
    ])  # fmt: skip
    judge(passage(SAY))
    assert asked == ["first"]


# --- lines as rules see them ---------------------------------------------------------------------


def test_a_line_says_what_it_is() -> None:
    """Its command, kind, who said it, its fields."""
    line = RuleLine(passage(SAY.replace("hi", "a%2cb")))
    assert (line.command, line.sender, line.kind, line.uin) == (
        "CLTMSG",
        "client",
        "request",
        10001,
    )
    assert (line.from_client, line.from_server, line.over) == (True, False, "tcp")
    assert (line["MG"], line["UN"], line.get("MG"), line.get("XX", "no")) == (
        "a,b", "10002", "a,b", "no",
    )  # fmt: skip
    assert ("MG" in line, "XX" in line) == (True, False)
    assert line.text == SAY.replace("hi", "a%2cb")
    assert line.raw == line.text.encode()
    assert repr(line).startswith("Line('VER=1.4")
    with pytest.raises(KeyError):
        line["XX"]
    listed = RuleLine(passage(LISTED, Role.SERVER))
    assert (listed.kind, listed.from_server, listed["NK"]) == ("reply", True, "a%2cb,")
    assert RuleLine(passage(PUSH, Role.SERVER)).kind == "push"
    strange = RuleLine(passage("CMD=What&X=%41"))
    assert (strange.kind, strange.uin, strange["X"]) == ("unreadable", None, "A")


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("MG", "a & b, 你\n%", SAY.replace("hi", "a %26 b%2c 你%0a%25")),
        ("UN", 10003, SAY.replace("10002", "10003")),
        ("NEW", "x", SAY + "&NEW=x"),
        ("MG", None, SAY.replace("&MG=hi", "")),
        ("SID", None, SAY.replace("SID=&", "")),
    ],
)
def test_a_field_is_changed(key: str, value: str | None, text: str) -> None:
    """Its words are escaped; all else stays byte for byte."""
    one = passage(b"\x01\x02" + SAY.encode())
    line = RuleLine(one)
    if value is None:
        del line[key]
    else:
        line[key] = value
    assert line.text == text
    assert line.raw == b"\x01\x02" + text.encode()
    line.done(one)
    assert one.data == b"\x01\x02" + text.encode() + b"\r\n"


def test_a_field_that_takes_the_rest_of_the_line_is_changed_whole() -> None:
    """Words with a raw `&` are one field; odd spellings stay."""
    line = RuleLine(passage(SAY + "&raw=1&&2"))
    assert line["MG"] == "hi&raw=1&&2"
    line["MG"] = "new"
    assert line.text == SAY.replace("hi", "new")
    line = RuleLine(passage("VER=1.4& UN =10002&UN=1&MG=x"))
    line["UN"] = "10003"
    assert line.text == "VER=1.4& UN =10003&UN=1&MG=x"


def test_what_cannot_be_a_field() -> None:
    """It would end it, or the line; a field that is not there cannot be taken out."""
    line = RuleLine(passage(LISTED, Role.SERVER))
    for key, value in (("UN", "1&2"), ("NP", "1\n2"), ("NP", "\r")):
        with pytest.raises(LocalProtocolError, match="would end the field"):
            line[key] = value
    with pytest.raises(LocalProtocolError, match="is no field"):
        line["A-B"] = "x"
    with pytest.raises(KeyError):
        del line["XX"]
    with pytest.raises(LocalProtocolError, match="more than one line"):
        line.text = "a\nb"
    line.text = "VER=1.1&CMD=x"
    assert line.command == "x"


# --- files ---------------------------------------------------------------------------------------


class Clock:
    """A clock moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def write(file: Path, source: str) -> None:
    """Write rules, as a later version of the file."""
    count = file.stat().st_mtime_ns if file.exists() else 0
    file.write_text(textwrap.dedent(source), encoding="utf-8")
    os.utime(file, ns=(count + 10**9, count + 10**9))


def rules(place: Between, file: Path, source: str, clock: Callable[[], float] = float) -> Rules:
    """Have the relay follow rules; without a clock no time goes by."""
    write(file, source)
    found = Rules(file, place.relay, clock)
    place.relay.judge = found.judge
    place.relay.add_watcher(found.watch)
    return found


async def test_a_rule_edits_drops_and_delays(tmp_path: Path) -> None:
    """And says more to both ends."""
    async with between() as place:
        rules(
            place,
            tmp_path / "a.py",
            """
            def on_line(line, flow):
                if line.from_client:
                    flow.state["said"] = flow.state.get("said", 0) + 1
                    if line.get("MG") == "drop":
                        line.drop()
                        flow.to_client(line.text.replace("drop", "no"))
                    if line.get("MG") == "late":
                        line.delay(0.01)
                    line["MG"] = line.get("MG") + str(flow.state["said"])
                elif line.get("MG") == "hello":
                    line.hold()
                    flow.to_server("VER=1.4&CMD=ours")
            """,
        )
        client, server = await place.both()
        await client.say(SAY, SAY.replace("hi", "drop"), SAY.replace("hi", "late"))
        assert await server.hear() == SAY.replace("hi", "hi1")
        assert await server.hear() == SAY.replace("hi", "late3")
        assert await client.hear() == SAY.replace("hi", "no")
        await server.say(PUSH)
        assert await server.hear() == "VER=1.4&CMD=ours"
        assert (
            place.watched.lines[-2].fate is Fate.HELD or place.watched.lines[-1].fate is Fate.HELD
        )


async def test_a_rule_hears_of_connections(tmp_path: Path) -> None:
    """It may say something first, and end them; what it prints is told."""
    async with between() as place:
        rules(
            place,
            tmp_path / "a.py",
            """
            def on_open(flow):
                print("hello", flow.number, flow.over)
                flow.to_client("VER=1.1&CMD=first")

            def on_line(line, flow):
                flow.note(flow.client.split(":")[0], "says", line.command)
                flow.close()

            def on_close(flow):
                print("bye")
            """,
        )
        client, _ = await place.both()
        assert await client.hear() == "VER=1.1&CMD=first"
        await client.say(SAY)
        with pytest.raises(ConnectionResetError):
            await client.hear()
        await place.watched.until(lambda: "reset" in place.watched.flows)
        assert place.watched.notes == ["hello 1 tcp", "127.0.0.1 says CLTMSG", "bye"]


async def test_a_rule_that_fails_changes_nothing(tmp_path: Path) -> None:
    """The line goes on as it came, and people are told which line of the file it was."""
    async with between() as place:
        rules(
            place,
            tmp_path / "a.py",
            """
            def on_line(line, flow):
                flow.to_server("VER=1.4&CMD=never")
                line.drop()
                return line["NOTHING"]

            def on_close(flow):
                raise SystemExit(3)
            """,
        )
        client, server = await place.both()
        await client.say(SAY)
        assert await server.hear() == SAY
        await client.close()
        await server.close()
        await place.watched.until(lambda: "closed" in place.watched.flows)
        assert place.watched.notes == [
            "a.py, line 5: KeyError: 'NOTHING'; nothing was changed",
            "a.py, line 8: SystemExit: 3; nothing was changed",
        ]


async def test_what_a_rule_cannot_have_is_told(tmp_path: Path) -> None:
    """A post that nobody asked for, too long a delay, a value returned; the rest is done."""
    async with between() as place:
        rules(
            place,
            tmp_path / "a.py",
            """
            def on_line(line, flow):
                flow.to_client("VER=1.1&CMD=x")
                line["MG"] = "edited"
                line.delay(1e9)
                return "drop"
            """,
        )
        client, server = await place.both()
        await client.say(http_request("x", 1, SAY.encode()))
        wanted = http_request("x", 1, SAY.replace("hi", "edited").encode())
        assert await server.hear_bytes(len(wanted)) == wanted
        returned, injected, late = place.watched.notes
        assert (
            returned == "a.py: on_line returned 'drop'; change the line itself, such as line.drop()"
        )
        assert injected.startswith("a.py: over HTTP a client hears nothing but answers")
        assert late.startswith("a.py: a line cannot wait")


async def test_rules_are_read_again_when_they_change(tmp_path: Path) -> None:
    """At most each second; wrong ones are told, and those before stay; so if the file is gone."""
    clock = Clock()
    file = tmp_path / "a.py"
    async with between() as place:
        rules(place, file, 'def on_line(line, flow): line["MG"] = "one"', clock)
        client, server = await place.both()

        async def heard() -> str:
            await client.say(SAY)
            return (await server.hear()).rpartition("=")[2]

        assert await heard() == "one"
        write(file, 'def on_line(line, flow): line["MG"] = "two"')
        assert await heard() == "one"
        clock.now += 1
        assert await heard() == "two"
        clock.now += 1
        assert await heard() == "two"
        write(file, "def on_line(line, flow): (")
        clock.now += 1
        assert await heard() == "two"
        clock.now += 1
        assert await heard() == "two"
        file.unlink()
        clock.now += 1
        assert await heard() == "two"
        assert place.watched.notes == [
            "a.py was read again",
            f"{file}, line 1: '(' was never closed; the rules stay as they were",
            f"cannot read {file}: No such file or directory; the rules stay as they were",
        ]


async def test_a_slow_rule_is_told(tmp_path: Path) -> None:
    """Nothing else goes meanwhile."""
    ticks = iter([0.0, 0.0, 0.0, 0.0])
    async with between() as place:
        rules(place, tmp_path / "a.py", "def on_line(line, flow): pass", lambda: next(ticks, 3.0))
        client, server = await place.both()
        await client.say(SAY)
        assert await server.hear() == SAY
        words = "a.py: on_line took 3.0 seconds, in which nothing else went; use line.delay()"
        assert place.watched.notes == [words]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = 1\ndef on_line(:\n", "a.py, line 2: invalid syntax"),
        ("import nothing_like_that\n", "a.py, line 1: ModuleNotFoundError: No module named"),
        ("\n\n1/0\n", "a.py, line 3: ZeroDivisionError: division by zero"),
        ("raise SystemExit\n", "a.py, line 1: SystemExit: "),
        ("on_line = 5\n", "a.py has no rule; write def on_line"),
        ("x = 1\0", "source code string cannot contain null bytes"),
    ],
)
def test_what_is_no_rule(tmp_path: Path, source: str, words: str) -> None:
    """One error with the line of the file."""
    file = tmp_path / "a.py"
    file.write_text(source)
    relay = object.__new__(Relay)
    with pytest.raises(ConfigError) as caught:
        Rules(file, relay)
    assert words in str(caught.value)
