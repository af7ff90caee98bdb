"""Plays made with a server: what somebody does, and what comes, written down."""

import asyncio

import pytest

from answering import answering, plain
from kqq.client import Address
from kqq.errors import PlayError
from kqq.plays.accounts import Account, Accounts
from kqq.plays.against import Network, Terms, perform_on
from kqq.plays.recording import Recording, Unanswered, quoted, read_statement
from kqq.plays.ways import Impossible
from kqq.protocol.transcript import parse_play

TERMS = Terms(quiet=0.1, wait=10.0)


async def record(
    address: Address, text: str, accounts: Accounts | None = None, terms: Terms = TERMS
) -> list[str]:
    """Return what is written down for a sketch."""
    return (await record_all(address, text, accounts, terms))[0]


async def record_all(
    address: Address, text: str, accounts: Accounts | None = None, terms: Terms = TERMS
) -> tuple[list[str], list[Unanswered]]:
    """Return what is written down for a sketch, and what got no answer."""
    recording = Recording(accounts or Accounts(), Network(address, terms), wait=terms.wait)
    written = []
    try:
        for number, line in enumerate(text.splitlines(), 1):
            statement = read_statement(line, number)
            assert statement is not None
            written += await recording.do(statement)
        written += await recording.end()
    finally:
        await recording.leave()
    return written, recording.unanswered


SKETCH = """Romeo signs in
Juliet signs in as away
Juliet receives nothing
Romeo > CMD=GetInfo LV=1 UN={Juliet}
Romeo < CMD=GETINFO RES=5
Romeo sends Juliet "你好, \\"a\\""
Romeo > VER=1.1&CMD=GetInfo&SEQ=77&UIN={Romeo}&LV=1&UN={Juliet}
Romeo > CMD=CLTMSG UN=999 MG=x
Romeo sends Nurse "who?"
Juliet signs out"""
RECORDED = """Romeo signs in
Juliet signs in as away
Romeo sees Juliet away
Romeo > CMD=GetInfo LV=1 UN={Juliet}
Romeo < CMD=GETINFO RES=0 LV=1 UN={Juliet} NK=Juliet
Romeo sends Juliet "你好, \\"a\\""
Juliet receives Romeo "你好, \\"a\\""
Romeo > VER=1.1&CMD=GetInfo&SEQ=77&UIN={Romeo}&LV=1&UN={Juliet}
Romeo < VER=1.1&CMD=GETINFO&SEQ=77&UIN={Romeo}&RES=0&LV=1&UN={Juliet}&NK=Juliet
Romeo > CMD=CLTMSG UN=999 MG=x
Romeo < CMD=CLTMSG RES=5
Romeo > VER=1.4&CON=1&CMD=CLTMSG&SEQ=205&UIN={Romeo}&SID=&XP=C4CA4238A0B92382&UN={Nurse}&MG=who?
Romeo < VER=1.1&CMD=CLTMSG&SEQ=205&UIN={Romeo}&RES=5
Juliet signs out
Romeo sees Juliet offline"""


async def test_a_recording(address: Address) -> None:
    """What comes stands after what somebody did; what was expected of it is left out."""
    # The next free number, which the nurse gets, is nobody's on the server.
    written = await record(address, SKETCH, Accounts.invent(["Romeo", "Juliet", "Paris"]))
    assert "\n".join(written) == RECORDED


async def test_a_recording_goes_as_written(address: Address) -> None:
    """What was recorded is a play that the same server performs, over HTTP as well."""
    sketch = SKETCH.partition("\nRomeo sends Nurse")[0]
    written = "\n".join(await record(address, sketch))
    people = Accounts.invent(["Romeo", "Juliet"])
    for over, seq in (("TCP", 500), ("HTTP", 700)):
        terms = Terms(over=over, quiet=0.1, wait=10.0)
        found = await perform_on(parse_play(written), address, people, terms, first_seq=seq)
        assert (found.verdict, [str(one) for one in found.differences]) == ("passed", [])


async def test_requests(address: Address) -> None:
    """Requests and their answers are told by verbs."""
    sketch = (
        "Romeo signs in\nJuliet signs in\nRomeo > CMD=DelFromList UN={Juliet}\n"
        'Romeo asks Juliet "a\\\\b"\nJuliet accepts Romeo\nJuliet disconnects'
    )
    written = await record(address, sketch)
    assert 'Juliet is asked by Romeo "a\\\\b"' in written
    assert "Romeo is accepted by Juliet" in written
    assert written[-1] == "Romeo sees Juliet offline"


async def test_passwords_are_not_written_down(address: Address) -> None:
    """A password that is known is replaced, in capital letters and in small ones."""
    md5 = Account("Romeo", 10001).password_md5
    line = "VER=1.1&CMD=Login&SEQ=1&UIN={Romeo}&M5=1&LC=9326B87B234E7235&PS="
    written = await record(address, f"Romeo > {line}{md5}\nRomeo > {line}{md5.lower()}")
    assert written[0].endswith("&PS={password}")
    assert written[2].endswith("&PS={md5}")
    assert md5 not in "".join(written).upper()


# --- servers that say what there is no verb for


SILENCE = "# Romeo got no answer: nothing came in 0.05 s"
NOTHING = "Romeo receives nothing"


async def recorded(*said: str, sketch: str = "Romeo > CMD=X", terms: Terms = TERMS) -> list[str]:
    """Return what is written down if a server says this to everything."""
    async with answering(lambda _: said) as address:
        return (await record(address, sketch, Accounts.invent(["Romeo"]), terms))[1:]


PUSH = "VER=1.1&CMD=Server_Msg&SEQ=1000000001&UIN=10001&RES=0&MN=1"


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("VER=1.1&CMD=X&SEQ=200&UIN=10001&RES=0&A=b c", 'Romeo < CMD=X RES=0 A="b c"'),
        ('VER=1.1&CMD=X&SEQ=200&UIN=10001&RES=0&A="&B=', 'Romeo < CMD=X RES=0 A="\\"" B='),
        ("VER=1.1&CMD=X&RES=0&&A", "Romeo < VER=1.1&CMD=X&RES=0&&A"),
        ("VER=1.1&CMD=X&SG=AB", "Romeo < CMD=X SG={any}"),
        (f"{PUSH}&MT=9&UN=777&MG=a", "Romeo < CMD=Server_Msg RES=0 MN=1 MT=9 UN=777 MG=a"),
        (
            f"{PUSH}&MT=3&UN=10001&MG=why",
            "Romeo < CMD=Server_Msg RES=0 MN=1 MT=3 UN={Romeo} MG=why",
        ),
        (f"{PUSH}&MT=3&UN=10001&MG=", "Romeo is accepted by Romeo"),
        (f"{PUSH}&MT=77&UN=10001&MG=", "Romeo < CMD=Server_Msg RES=0 MN=1 MT=77 UN={Romeo} MG="),
        (
            "VER=1.1&CMD=update_stat&SEQ=1&UIN=10001&RES=0&ST=77&UN=10001",
            "Romeo < CMD=update_stat RES=0 ST=77 UN={Romeo}",
        ),
    ],
)
async def test_what_there_is_no_verb_for(said: str, written: str) -> None:
    """It is written as a line, with fields if that is possible."""
    quick = Terms(quiet=0.01, wait=0.05)
    assert [one for one in await recorded(said, terms=quick) if one[0] != "#"] == [written]


async def test_what_goes_wrong() -> None:
    """A verb that is not answered as it should is written as lines; silence is a comment."""
    assert (await recorded("VER=1.1&CMD=LOGOUT&RES=1", sketch="Romeo signs out"))[0] == (
        "Romeo < VER=1.1&CMD=LOGOUT&RES=1"
    )
    async with answering(lambda line: [plain(line, "&RES=0"), "HANG UP"]) as address:
        accounts = Accounts.invent(["Romeo"])
        written = await record(address, "Romeo > CMD=X\nRomeo > CMD=X", accounts)
    assert written.count("Romeo < CMD=X RES=0") == 2
    quick = Terms(quiet=0.01, wait=0.05)
    assert await recorded(terms=quick, sketch="Romeo signs out") == [SILENCE, NOTHING]


async def test_silence() -> None:
    """That nothing came is written down, unless a line has no end yet, or is no request."""
    quick = Terms(quiet=0.01, wait=0.05)
    assert await recorded(terms=quick) == [SILENCE, NOTHING]
    assert await recorded(terms=quick, sketch='Romeo > "CMD="') == []
    assert await recorded(terms=quick, sketch='Romeo > "CMD=X\\n"') == [SILENCE, NOTHING]
    assert await recorded(terms=quick, sketch='Romeo > "\\r\\n"') == [NOTHING]
    assert await recorded("A=1\nB=2", terms=quick, sketch='Romeo > "what?\\r\\n"') == [
        "# Romeo got junk: 'B=2'",
        "# Romeo: a line ends in a bare LF, not in CR LF: 'A=1'",
    ]


async def test_trouble_while_waiting() -> None:
    """It is told in a comment."""
    written = await recorded("VER=1.1&CMD=X&SEQ=200&UIN=10001&RES=0\r\nA=1\nB=2")
    assert written[0] == "Romeo < CMD=X RES=0"
    assert written[1].startswith("# Romeo: a line ends in a bare LF")
    written = await recorded("A=1\nB=2")
    assert written == [
        "# Romeo got junk: 'B=2'",
        "# Romeo got no answer: a line ends in a bare LF, not in CR LF: 'A=1'",
    ]
    written = await recorded("A=1\nVER=1.1&CMD=X&SEQ=200&UIN=10001&RES=0")
    assert written == [
        "# Romeo: a line ends in a bare LF, not in CR LF: 'A=1'",
        "Romeo < CMD=X RES=0",
    ]


QUICK = Terms(quiet=0.02, wait=0.1)


async def unanswered(
    *said: str, sketch: str, terms: Terms = QUICK
) -> tuple[list[str], list[Unanswered]]:
    """Return what is written down, and what had no answer, if a server says this to everything."""
    async with answering(lambda _: said) as address:
        return await record_all(address, sketch, Accounts.invent(["Romeo"]), terms)


async def test_a_server_that_is_silent() -> None:
    """A request without an answer is told, and why; a verb is written as the line it says."""
    sketch = "Romeo > CMD=X PS=0123456789ABCDEF\nRomeo signs out"
    written, (line, verb) = await unanswered(sketch=sketch)
    assert written[3].startswith("Romeo > VER=1.4&CON=1&CMD=Logout&SEQ=201&UIN={Romeo}")
    why = "nothing came in 0.1 s"
    comment = f"# Romeo got no answer: {why}"
    assert [written[1:3], written[4:]] == [[comment, NOTHING]] * 2
    assert line == Unanswered(1, "Romeo > CMD=X PS=***", why, is_lost=False)
    assert verb == Unanswered(2, "Romeo signs out", why, is_lost=False)


@pytest.mark.parametrize("over", ["TCP", "HTTP"])
async def test_a_server_that_hangs_up(over: str) -> None:
    """The connection is lost, each time anew."""
    terms = Terms(over=over, quiet=0.02, wait=5.0)
    sketch = "Romeo > CMD=X\nRomeo signs out"
    written, told = await unanswered("HANG UP", sketch=sketch, terms=terms)
    assert [(one.number, one.is_lost) for one in told] == [(1, True), (2, True)]
    assert [one for one in written if one.startswith("#")] == [
        f"# Romeo got no answer: {one.why}" for one in told
    ]
    assert written[0] == "Romeo > CMD=X"


async def test_junk() -> None:
    """It stands in comments, of very much the first lines; an answer after it is one."""
    many = [f"junk {number}" for number in range(9)]
    written, (line, verb) = await unanswered(*many, sketch="Romeo > CMD=X\nRomeo signs out")
    comments = [f"# Romeo got junk: '{one}'" for one in many[:5]]
    comments += ["# Romeo got more lines of junk: 4"]
    assert written[1:7] == comments
    assert written[9:] == [*comments, "# Romeo got no answer: nothing came in 0.1 s"]
    why = "junk came instead, 'junk 0' and 8 more; then nothing came in 0.1 s"
    assert [line.why, verb.why] == [why, why]
    answer = "VER=1.1&CMD=LOGOUT&SEQ=200&UIN=10001&RES=0"
    for sketch in ("Romeo > CMD=Logout", "Romeo signs out"):
        written, told = await unanswered("\x1b[2Jwhat?", answer, sketch=sketch)
        assert written[1] == "# Romeo got junk: '\\x1b[2Jwhat?'"
        assert written[2].startswith("Romeo < ")
        assert (len(written), told) == (3, [])


async def test_junk_without_end() -> None:
    """An answer is waited for no longer than else, however much comes besides."""
    over, gone = asyncio.Event(), asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not over.is_set():
            writer.write(b"junk\r\n")
            await asyncio.sleep(0.01)
        writer.close()
        gone.set()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    async with server:
        address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
        written, (told,) = await record_all(
            address, "Romeo > CMD=X", Accounts.invent(["Romeo"]), QUICK
        )
        over.set()
        await gone.wait()
    assert "# Romeo got no answer: nothing else came in 0.1 s" in written
    assert told.why.startswith("junk came instead, 'junk' and ")


async def test_what_cannot_be_done(address: Address) -> None:
    """It is an error with the line; nobody is made up where a file says who there is."""
    with pytest.raises(Impossible, match="only whoever runs the server"):
        await record(address, "server dies")
    known = Accounts([Account("Romeo", 10001)], knows_friends=True)
    with pytest.raises(Impossible, match="Juliet has no account"):
        await record(address, "Juliet signs in", known)


def test_statements_on_lines() -> None:
    """A comment is none; an error has the number of the line."""
    assert read_statement("  # words") is None
    assert read_statement("") is None
    with pytest.raises(PlayError, match=r"^line 7: 'nonsense'"):
        read_statement("nonsense", 7)
    statement = read_statement("Romeo signs in", 7)
    assert statement is not None
    assert statement.number == 7


@pytest.mark.parametrize(
    "text", ['a "b" \\ c', "\r\n\t", "\x00\x7f", "\udcff", "你好", "", "{Romeo} {{"]
)
def test_words_in_quotes(text: str) -> None:
    """Words come back from a play as they were."""
    (statement,) = parse_play(f"Romeo sends Juliet {quoted(text)}").statements
    assert statement.text == text
