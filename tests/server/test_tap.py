"""Live lines: all are seen, over every transport; nothing secret is shown."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from kqq.server.tap import LONGEST, End, Tap, Way, shown
from stage import JULIET, MD5, PARIS, ROMEO, Stage, request, sign_in_line

HEAD = f"VER=1.4&CON=1&CMD=CLTMSG&SEQ=203&UIN={ROMEO}&SID=&XP=C4CA4238A0B92382&UN={JULIET}"


@dataclass
class Eye:
    """Somebody who watches."""

    tap: Tap
    lines: list[tuple[str, int | None, Way, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stop: Callable[[], None] = self.tap.watch(self._see)

    def _see(self, peer: End, uin: int | None, way: Way, data: bytes) -> None:
        self.lines.append((peer.over, uin, way, shown(data, way)))

    def seen(self) -> list[tuple[str, int | None, Way, str]]:
        """Return what was seen since the last time, of each line the command and what follows."""
        lines = [
            (over, uin, way, re.sub(r"^VER=[^&]*(&CON=1)?&CMD=", "", line))
            for over, uin, way, line in self.lines
        ]
        self.lines.clear()
        return lines


@pytest.fixture
def eye(stage: Stage) -> Eye:
    """Somebody who watches the server."""
    return Eye(stage.server._services.tap)


# --- who watches ---------------------------------------------------------------------------------


def test_nobody_watches_until_somebody_does() -> None:
    """`is_watched` is true from the first to come until the last has gone."""
    tap = Tap()
    watched = [tap.is_watched]
    first, second = Eye(tap), Eye(tap)
    watched.append(tap.is_watched)
    first.stop()
    first.stop()  # once more does nothing
    watched.append(tap.is_watched)
    second.stop()
    watched.append(tap.is_watched)
    assert watched == [False, True, True, False]


async def test_all_who_watch_see_it(stage: Stage) -> None:
    """Each sees what goes by while it watches."""
    tap = stage.server._services.tap
    first, second = Eye(tap), Eye(tap)
    wire = stage.connect()
    await wire.ask(request("Query_Stat2", ROMEO))
    assert first.lines == second.lines != []
    second.stop()
    await wire.ask(request("Query_Stat2", ROMEO))
    assert len(first.lines) == 4
    assert len(second.lines) == 2


async def test_who_watches_may_stop_while_being_told() -> None:
    """The others are told all the same."""
    tap, seen = Tap(), []
    stops: list[Callable[[], None]] = []
    stops.append(tap.watch(lambda *_: stops[0]()))
    tap.watch(lambda _peer, _uin, _way, data: seen.append(data))
    for _ in range(2):
        tap.saw(OverTcp(), None, "in", b"x")
    assert seen == [b"x", b"x"]


class OverTcp:
    """Somebody at the other end."""

    over = "tcp"


# --- what is seen --------------------------------------------------------------------------------


async def test_lines_of_phones(stage: Stage, eye: Eye) -> None:
    """What is said, answered and pushed, each once, with who is signed in there by then."""
    romeo = await stage.sign_in(ROMEO)
    said, answered = eye.seen()
    assert said[:3] == ("tcp", None, "in")
    assert said[3].startswith(f"Login&SEQ=200&UIN={ROMEO}&PS=***&M5=1&")
    assert answered[:3] == ("tcp", ROMEO, "out")
    assert answered[3].startswith(f"Login&SEQ=200&UIN={ROMEO}&RES=0&RS=0&")
    juliet = await stage.sign_in(JULIET)
    eye.seen()
    await romeo.say(request("CLTMSG", ROMEO, f"UN={JULIET}&MG=hello", seq=1))
    await stage.idle()
    said, answered, pushed = eye.seen()
    assert said[2:] == (
        "in", f"CLTMSG&SEQ=1&UIN={ROMEO}&SID=&XP=C4CA4238A0B92382&UN={JULIET}&MG=•••5",
    )  # fmt: skip
    assert answered == ("tcp", ROMEO, "out", f"CLTMSG&SEQ=1&UIN={ROMEO}&RES=0")
    assert pushed[:3] == ("tcp", JULIET, "out")
    assert re.fullmatch(
        rf"Server_Msg&SEQ=\d{{10}}&UIN={JULIET}&RES=0&MN=1&MT=9&UN={ROMEO}&MG=•••5", pushed[3]
    )
    await romeo.ask(request("Change_Stat", ROMEO, "ST=30", seq=2))
    await stage.idle()
    ways = [(uin, way, line[:11]) for _, uin, way, line in eye.seen()]
    assert ways == [
        (ROMEO, "in", "Change_Stat"), (ROMEO, "out", "CHANGE_STAT"), (JULIET, "out", "update_stat"),
    ]  # fmt: skip
    assert len(juliet.waiting()) == 2


async def test_lines_of_who_has_signed_out_are_nobodys(stage: Stage, eye: Eye) -> None:
    """A session that has ended is not there any more."""
    romeo = await stage.sign_in(ROMEO)
    eye.seen()
    await romeo.ask(request("Logout", ROMEO))
    await romeo.ask(request("Query_Stat2", ROMEO))
    assert [uin for _, uin, _, _ in eye.seen()] == [ROMEO, None, None, None]


async def test_lines_that_are_no_messages(stage: Stage, eye: Eye) -> None:
    """What cannot be read, and nobody answers, is seen, too."""
    wire = stage.connect()
    await wire.say("VER=9&CMD=Dance&SEQ=1&UIN=x", request("Dance", PARIS))
    await stage.idle()
    assert [(way, line.partition("&")[0]) for _, _, way, line in eye.seen()] == [
        ("in", "Dance"), ("in", "Dance"), ("out", "DANCE"),
    ]  # fmt: skip


async def test_lines_over_http(stage: Stage, eye: Eye) -> None:
    """A POST is a line, and so is its answer; a page that is asked for is none."""
    assert "&RES=0" in await stage.post(sign_in_line(ROMEO))
    said, answered = eye.seen()
    assert said[:3] == ("http", None, "in")
    assert answered[:3] == ("http", ROMEO, "out")
    assert await stage.post(request("GetMsgEx", ROMEO)) != ""
    assert [one[:3] for one in eye.seen()] == [("http", ROMEO, "in"), ("http", ROMEO, "out")]
    assert await stage.post("VER=9&CMD=Dance&SEQ=1&UIN=x") == ""
    assert [one[:3] for one in eye.seen()] == [("http", None, "in")]
    link = stage.link(("192.0.2.1", 50000))
    await link.send(b"GET /register HTTP/1.1\r\nHost: kqq.example\r\n\r\n")
    await stage.idle()
    assert eye.seen() == []


async def test_nothing_is_seen_when_nobody_watches(stage: Stage, eye: Eye) -> None:
    """Who has stopped sees nothing more, over TCP or HTTP."""
    eye.stop()
    await stage.sign_in(ROMEO)
    await stage.post(sign_in_line(JULIET))
    assert eye.lines == []


# --- what is shown -------------------------------------------------------------------------------


@pytest.mark.parametrize("texts", [False, True])
@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (sign_in_line(ROMEO), MD5),
        (sign_in_line(ROMEO).replace("PS=", "ps = "), MD5),
        (sign_in_line(ROMEO).replace("&PS=", "PS="), MD5),
        (f"{MD5}&M5=1&LG=0", MD5),
        (f"VER=1.4&CMD=Login&SEQ=1&UIN=1&XX={MD5}", MD5),
        (f"VER=1.1&CMD=Login&SEQ=1&UIN=1&RES=0&RS=0&SG={'ab' * 32}&SSG=2618", "abab"),
        ("VER=1.1&CMD=Login&SEQ=1&UIN=1&RES=0&RS=0&SG=x&SSG=2618123", "2618"),
        ("uin=10001&password=hunter2", "hunter2"),
    ],
)
def test_secrets_are_never_shown(line: str, secret: str, texts: bool) -> None:
    """Not in whole lines, not in broken ones, whoever asks for texts."""
    ways: tuple[Way, ...] = ("in", "out")
    for way in ways:
        assert secret not in shown(line.encode(), way, texts=texts)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"{HEAD}&MG=secret words", f"{HEAD}&MG=•••12"),
        (f"{HEAD}&MG=", f"{HEAD}&MG="),
        (f"{HEAD}&MG=秘密%26", f"{HEAD}&MG=•••3"),
        (f"{HEAD}&MG=secret & secret=1&secret", f"{HEAD}&MG=•••24"),
        (f"{HEAD}&MG=secret&UN=secret", f"{HEAD}&MG=•••16"),
        (f"{HEAD}&mg=secret, so", f"{HEAD}&mg=•••10"),
        (
            f"VER=1.4&MG=secret&CMD=CLTMSG&SEQ=1&UIN={ROMEO}&secret=2&secret&UN={JULIET}",
            f"VER=1.4&MG=•••6&CMD=CLTMSG&SEQ=1&UIN={ROMEO}&•••8&•••6&UN={JULIET}",
        ),
        (
            f"VER=1.1&CMD=Ack_AddToList&SEQ=1&UIN={ROMEO}&UN={JULIET}&CD=2&RS=secret",
            f"VER=1.1&CMD=Ack_AddToList&SEQ=1&UIN={ROMEO}&UN={JULIET}&CD=2&RS=•••6",
        ),
        ("VER=1.1&CMD=Say&SEQ=1&MG=secret&UN=2&secret", "VER=1.1&CMD=Say&SEQ=1&MG=•••18"),
        ("VER=1.1&CMD=Say&SEQ=1&XX=y&&secret&", "VER=1.1&CMD=Say&SEQ=1&XX=y&&•••6&"),
        ("secret=and more&of it", "•••21"),
        ("GET / HTTP/1.1", "•••14"),
        ("", ""),
    ],
)
def test_texts_of_clients_are_not_shown(line: str, told: str) -> None:
    """Wherever they stand, whatever was forgotten to be escaped, and also half of one."""
    assert shown(f"{line}\r".encode(), "in") == told
    assert "secret" in shown(line.encode(), "in", texts=True) or "secret" not in line


def test_texts_to_clients_are_not_shown() -> None:
    """Neither those that are pushed nor those that are fetched; results of commands are."""
    push = f"VER=1.1&CMD=Server_Msg&SEQ=1&UIN={JULIET}&RES=0&MN=1&MT=9&UN={ROMEO}&MG="
    assert shown(f"{push}secret\r\n".encode(), "out") == f"{push}•••6"
    fetched = f"VER=1.1&CMD=GETMSGEX&SEQ=1&UIN={JULIET}&RES=0&MN=2&MT=9,2,&UN={ROMEO},{PARIS},&MG="
    assert shown(f"{fetched}a%2c b,secret,\r\n".encode(), "out") == f"{fetched}•••4,•••6,"
    for line in (
        f"VER=1.1&CMD=Login&SEQ=1&UIN={ROMEO}&RES=0&RS=1&RA=Password error",
        f"VER=1.1&CMD=ACK_ADDTOLIST&SEQ=1&UIN={ROMEO}&RES=0",
        f"VER=1.1&CMD=SIMPLEINFO2&SEQ=1&UIN={ROMEO}&RES=0&NP=65535&SN=1&UN=2,&FC=3,&NK=Anna,",
    ):
        assert shown(line.encode(), "out") == line


def test_texts_are_shown_to_who_asks_for_them() -> None:
    """As they are on the wire."""
    line = f"{HEAD}&MG=hello%2c world & bye"
    assert shown(line.encode(), "in", texts=True) == line


def test_pictures_are_shortened() -> None:
    """A captcha is some kilobytes; the letters somebody has read in it are few."""
    head = f"VER=1.1&CMD=VERIFYCODE&SEQ=1&UIN={ROMEO}&RES=0&SC=1&NT=&VC="
    picture = b"\x89PNG\r\n\x1a\n".hex() + "5a" * 1000
    assert shown((head + picture).encode(), "out") == f"{head}89504e470d0a1a0a…2000"
    answer = f"VER=1.4&CON=1&CMD=VERIFYCODE&SEQ=1&UIN={ROMEO}&SID=&XP=&SC=2&VC=DBVP"
    assert shown(answer.encode(), "in") == answer


def test_long_lines_are_shortened() -> None:
    """The start is shown, and how much more there is."""
    told = shown(f"{HEAD}&MG={'x' * LONGEST}".encode(), "in", texts=True)
    assert told.startswith(HEAD)
    assert told.endswith(f"xxx…{len(HEAD) + 4}")
    assert len(told) < LONGEST + 10


def test_what_cannot_be_seen_is_written_as_escapes() -> None:
    """Bytes that are no UTF-8, controls, and signs that turn the direction; not what is junk."""
    line = b"\x00\x2fVER=1.4&CMD=Dance&SEQ=1&UIN=1&XX=\xff\x1b[2J" + "\u202eabc".encode()
    assert shown(line, "in") == r"VER=1.4&CMD=Dance&SEQ=1&UIN=1&XX=\xff\x1b[2J\u202eabc"
