"""Recordings: plays that can be performed again, and captures that others can read."""

import asyncio
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from kqq.address import Door
from kqq.capture.events import Said
from kqq.capture.plays import NAMES
from kqq.capture.sources import read_file
from kqq.client.tcp import Address
from kqq.errors import ConfigError
from kqq.plays.accounts import Account, Accounts
from kqq.plays.against import perform_on
from kqq.protocol import Role, http_request, http_response
from kqq.protocol.transcript import parse_play
from kqq.proxy.passage import Fate, Passage
from kqq.proxy.recording import PacketRecording, PlayRecording, record
from kqq.proxy.relay import Relay
from process import Process
from proxy.between import PUSH, SAID, SAY, Between, Link, between
from stage import MD5, sign_in_line

HEAD = "VER=1.1&CMD={}&SEQ=201&UIN={}&RES=0&"


def recorded(place: Between, file: Path) -> PlayRecording:
    """Return a recording of what goes by."""
    recording = record(file, place.relay, "A lesson.")
    assert isinstance(recording, PlayRecording)
    return recording


def statements(file: Path) -> list[str]:
    """Return the lines of a play, which must be one."""
    text = file.read_text(encoding="utf-8")
    parse_play(text)
    return text.splitlines()


async def test_a_play_is_written_as_it_goes(tmp_path: Path) -> None:
    """People are named in order of appearance, secrets replaced; it is whole at any time."""
    file = tmp_path / "a.kqq"
    async with between() as place:
        recording = recorded(place, file)
        client, server = await place.both()
        await client.say(sign_in_line(10001))
        await server.hear()
        await server.say("VER=1.1&CMD=Login&SEQ=200&UIN=10001&RES=0&RS=0&SG=ab12&SSG=77")
        await client.hear()
        await client.say(SAY)
        await server.hear()
        await server.say(PUSH, SAID)
        await client.hear()
        await client.hear()
        now = statements(file)
        await client.close()
        await server.close()
        await place.watched.until(lambda: "closed" in place.watched.flows)
        recording.close()
    more = "&M5=1&LG=0&LC=812822641C978097&GD=QU7YM68W72T5EJZF&CKE="
    pushed = "UIN={Romeo}&RES=0&MN=1&MT=9&UN={Juliet}&MG=hello"
    assert now == [
        "# A lesson.",
        "server stranger Romeo",
        "Romeo speaks TCP",
        "Romeo > VER=1.4&CON=1&CMD=Login&SEQ=200&UIN={Romeo}&PS={password}" + more,
        "Romeo < VER=1.1&CMD=Login&SEQ=200&UIN={Romeo}&RES=0&RS=0&SG={any}&SSG={any}",
        "server stranger Juliet",
        "Romeo > VER=1.4&CON=1&CMD=CLTMSG&SEQ=204&UIN={Romeo}&SID=&XP=&UN={Juliet}&MG=hi",
        "Romeo < VER=1.1&CMD=Server_Msg&SEQ={push1}&" + pushed,
        "Romeo < VER=1.1&CMD=CLTMSG&SEQ=204&UIN={Romeo}&RES=0",
    ]
    people = ["server stranger Romeo", "server stranger Juliet"]
    rest = [line for line in now[2:] if not line.startswith("server")]
    assert statements(file) == [now[0], *people, *rest, "Romeo disconnects"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert not file.with_name(".a.kqq.new").exists()


async def test_what_the_server_heard_and_said_is_kept(tmp_path: Path) -> None:
    """Edited and injected lines as they went to it; its own as they came from it."""

    def judge(passage: Passage) -> None:
        text = passage.line.text
        if "drop" in text:
            passage.drop()
        elif "edit" in text:
            passage.edit(text.replace("edit", "EDIT"))

    file = tmp_path / "a.kqq"
    async with between(judge) as place:
        recording = recorded(place, file)
        client, server = await place.both()
        for text in ("edit", "drop", "plain"):
            await client.say(SAY.replace("hi", text))
        await place.watched.line(2, Fate.PASSED)
        place.flow.inject(SAY.replace("hi", "ours"), Role.SERVER)
        place.flow.inject(PUSH, Role.CLIENT)
        await place.watched.line(4, Fate.PASSED)
        for text in ("edit", "drop"):
            await server.say(PUSH.replace("hello", text))
        await place.watched.line(6)
        recording.close()
    texts = [line.rpartition("=")[2] for line in statements(file) if line.startswith("Romeo")]
    assert texts == ["Romeo speaks TCP", "EDIT", "plain", "ours", "edit", "drop"]


async def test_who_comes_twice_is_two_people(tmp_path: Path) -> None:
    """While the first connection is there; over HTTP one is another, too, and has no end."""
    file = tmp_path / "a.kqq"
    async with between() as place:
        recording = recorded(place, file)

        async def come(data: str | bytes) -> tuple[Link, Link]:
            count = len(place.watched.lines)
            pair = await place.both()
            await pair[0].say(data)
            await place.watched.line(count, Fate.PASSED)
            return pair

        first, _ = await come(SAY)
        await come(SAY)
        await come("VER=1.4&CMD=List")
        for _ in range(2):
            client, server = await come(http_request("x", 1, SAY.encode()))
            await server.say(http_response(SAID.encode()))
            await client.hear()
        await place.watched.line(6)
        first.reset()
        await place.watched.until(lambda: "reset" in place.watched.flows)
        client, server = await come(SAY)
        await client.say("VER=1.4&CMD=List&UIN=10003")
        await place.watched.line(8, Fate.PASSED)
        await client.say(b"VER=1.4&CMD=Li")
        client.end()
        await server.hear_all()
        await server.say(b"VER=1.1&CMD")
        server.end()
        await place.watched.until(lambda: "closed" in place.watched.flows)
        recording.close()
    said = [line.partition("VER=")[0] for line in statements(file) if " < " not in line]
    assert said == [
        "# A lesson.",
        *(f"server stranger {name}" for name in ("Romeo", "Juliet", "Mercutio")),
        "Romeo speaks TCP", "Romeo > ",
        "Romeo_2 speaks TCP", "Romeo_2 > ",
        "Somebody speaks TCP", "Somebody > ",
        "Romeo_3 speaks HTTP", "Romeo_3 > ", "Romeo_3 > ",
        "Romeo disconnects",
        "Romeo > ", "Romeo > ",
        "# Here Romeo broke off in the middle of a line.",
        "# Here the server broke off in the middle of a line.",
        "Romeo disconnects",
    ]  # fmt: skip


async def test_what_is_learned_of_people_stands_first(tmp_path: Path) -> None:
    """Nicknames that can be written, and friendships that were there from the start."""
    file = tmp_path / "a.kqq"
    lines = [
        HEAD.format("SIMPLEINFO2", 10001) + "NP=65535&SN=3&UN=10002,10003,10004,&FC=0,0,0,"
        '&NK=小波,a"b,\u200f,',
        HEAD.format("LIST", 10002) + "FN=2&SN=2&UN=10001,10005,",
        HEAD.format("QUERY_STAT2", 10005) + "FN=1&SN=1&ST=20,&UN=10002,10001,",
        HEAD.format("LIST", 10005) + "FN=0",
    ]
    async with between() as place:
        recording = recorded(place, file)
        client, server = await place.both()
        await client.say("VER=1.4&CON=1&CMD=DelFromList&SEQ=1&UIN=10001&SID=&XP=&UN=10004")
        await place.watched.line(0, Fate.PASSED)
        await server.say(*lines)
        await place.watched.line(len(lines), Fate.PASSED)
        recording.close()
    found = [line for line in statements(file) if line.startswith("server")]
    assert found == [
        "server stranger Romeo",
        "server stranger Juliet",
        'server account Mercutio nick="小波"',
        "server stranger Tybalt",
        "server stranger Benvolio",
        "server friends Romeo, Mercutio",
        "server friends Romeo, Tybalt",
        "server friends Mercutio, Benvolio",
        "server friends Romeo, Benvolio",
    ]


async def test_many_people_have_names(tmp_path: Path) -> None:
    """After those of a play they are counted; numbers of nobody stay."""
    file = tmp_path / "a.kqq"
    numbers = ",".join(str(10001 + number) for number in range(len(NAMES) + 2))
    async with between() as place:
        recording = recorded(place, file)
        _, server = await place.both()
        await server.say(HEAD.format("LIST", 0) + f"FN=0&UN={numbers},10000,7,x")
        await place.watched.line(0)
        recording.close()
    count = len(NAMES)
    assert statements(file)[-1].endswith(f"{{Person{count + 1}}},{{Person{count + 2}}},10000,7,x")
    assert "Somebody < " in statements(file)[-1]


# --- files ---------------------------------------------------------------------------------------


async def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    """Nor is one begun where none can be; an empty file is used."""
    file = tmp_path / "a.kqq"
    file.write_text("mine")
    relay = Relay(Address("127.0.0.1", 1))
    with pytest.raises(ConfigError, match="is there already; choose another name"):
        record(file, relay, "A lesson.")
    with pytest.raises(ConfigError, match="No such file or directory"):
        record(tmp_path / "none" / "a.pcap", relay, "A lesson.")
    empty = tmp_path / "b.kqq"
    empty.touch()
    record(empty, relay, "A lesson.").close()
    assert empty.read_text() == "# A lesson.\n"


async def test_a_full_disk_ends_the_relay() -> None:
    """With one error; so does the end of a recording that cannot be written."""
    with pytest.raises(ConfigError, match="cannot write /dev/full: No space left"):
        PlayRecording(Path("/dev/full"), "A lesson.")
    async with between() as place:
        with pytest.raises(ConfigError, match="No space left"):
            record(Path("/dev/full"), place.relay, "A lesson.")


async def test_a_recording_may_go_to_another_program(tmp_path: Path) -> None:
    """Then nothing is put at its beginning."""
    seen = PlayRecording(Path("/dev/null"), "A lesson.")
    seen.close()
    file = tmp_path / "a.kqq"
    recording = PlayRecording(file, "A lesson.")
    file.unlink()
    recording.close()
    file.mkdir()
    with pytest.raises(ConfigError, match="cannot write"):
        PlayRecording(file, "A lesson.")


@pytest.mark.parametrize("name", ["a.pcap", "a.pcapng"])
@pytest.mark.parametrize("reset", [False, True])
async def test_a_capture_can_be_read_again(tmp_path: Path, name: str, reset: bool) -> None:
    """All lines are in it as the server heard and said them, with their ends."""
    file = tmp_path / name

    def judge(passage: Passage) -> None:
        passage.edit(passage.line.text + "!")

    async with between(judge) as place:
        recording = record(file, place.relay, "A lesson.")
        assert isinstance(recording, PacketRecording)
        client, server = await place.both()
        await client.say(SAY + "x" * 5000)
        await server.hear()
        await server.say(SAID)
        await client.hear()
        if reset:
            server.reset()
        else:
            await client.close()
            await server.close()
        await place.watched.until(lambda: place.watched.flows[-1] != "opened")
        recording.close()
        client_end = place.watched.lines[0].said.client
    said = [one for one in read_file(file) if isinstance(one, Said)]
    assert [one.line.text for one in said] == [SAY + "x" * 5000 + "!", SAID]
    assert said[0].client == client_end
    assert said[1].request is not None


async def test_a_capture_of_ends_of_two_kinds(tmp_path: Path) -> None:
    """A client with IPv6 before a server with IPv4: packets have IPv6."""
    file = tmp_path / "a.pcap"
    async with between() as place:
        recording = record(file, place.relay, "A lesson.")
        listen = await place.relay.open(Door("::1", 0))
        link = Link(*await asyncio.open_connection("::1", listen.port))
        await link.say(SAY)
        await place.watched.line(0, Fate.PASSED)
        await link.close()
        recording.close()
    (said,) = [one for one in read_file(file) if isinstance(one, Said)]
    assert said.client is not None
    assert said.server is not None
    assert said.client.host == "::1"
    assert said.server.host == "::ffff:7f00:1"


# --- real servers --------------------------------------------------------------------------------


def kqq(data: Path, *arguments: str) -> None:
    """Run a command on the data of a server."""
    command = [sys.executable, "-m", "kqq", "account", *arguments, "--data", str(data)]
    subprocess.run(command, check=True, capture_output=True)


def stage(data: Path, first: int) -> Process:
    """Return a server with two friends and their nicknames."""
    for number, nick in ((first, "Anna"), (first + 1, "小波")):
        kqq(data, "add", str(number), "--nick", nick, "--password", "secret")
    kqq(data, "friend", str(first), str(first + 1))
    return Process(data)


async def converse(port: int, one: int, other: int) -> None:
    """Have two people sign in, look at their friends, and talk, one of them over HTTP."""
    head = f"VER=1.4&CON=1&CMD={{}}&SEQ={{}}&UIN={one}&SID=&XP=C4CA4238A0B92382"
    link = Link(*await asyncio.open_connection("127.0.0.1", port))
    assert "RS=0" in await link.ask(sign_in_line(one))
    await link.ask(head.format("SimpleInfo2", 201) + "&UN=0&TO=0")
    await link.ask(head.format("Query_Stat2", 202) + "&CM=2&UN=0")
    await link.ask(head.format("CLTMSG", 203) + f"&UN={other}&MG=你好 {{x}}")
    for line in (
        sign_in_line(other),
        f"VER=1.4&CON=0&CMD=GetMsgEx&SEQ=7&UIN={other}&SID=&XP=29E41F6186ED43F8",
        f"VER=1.4&CON=0&CMD=CLTMSG&SEQ=8&UIN={other}&SID=&XP=29E41F6186ED43F8&UN={one}&MG=hi",
    ):
        post = Link(*await asyncio.open_connection("127.0.0.1", port))
        await post.say(http_request("127.0.0.1", port, line.encode()))
        assert b"RES=0" in await post.hear_all()
        await post.close()
    assert "update_stat" in await link.hear()
    assert "Server_Msg" in await link.hear()
    await link.close()


async def test_a_recorded_play_can_be_performed_on_another_server(tmp_path: Path) -> None:
    """With other numbers: what was recorded before one server holds for the other."""
    file = tmp_path / "a.kqq"
    server = stage(tmp_path / "one", 10123)
    try:
        relay = Relay(Address("127.0.0.1", server.port))
        listen = await relay.open(Door("127.0.0.1", 0))
        recording = record(file, relay, "A lesson.")
        await converse(listen.port, 10123, 10124)
        await relay.close()
        recording.close()
    finally:
        server.stop()
    text = file.read_text(encoding="utf-8")
    play = parse_play(text)
    assert play.actors == ("Romeo", "Juliet")
    assert "10123" not in text
    assert MD5 not in text
    assert hashlib.md5(b"secret").hexdigest() not in text
    server = stage(tmp_path / "other", 10001)
    try:
        people = [Account("Romeo", 10001), Account("Juliet", 10002)]
        outcome = await perform_on(play, Address("127.0.0.1", server.port), Accounts(people))
    finally:
        server.stop()
    assert outcome.verdict == "passed", outcome
