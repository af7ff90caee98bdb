"""Messages: accepted once they are on disk, pushed or fetched, never lost, never shown twice."""

import sqlite3
from contextlib import closing

import pytest

from kqq.server.handlers import messaging
from kqq.server.handlers.messaging import push
from kqq.server.presence import Status
from kqq.server.session import StatusChange
from kqq.server.store import Kind, Stored
from stage import JULIET, PARIS, ROMEO, MemoryLink, Stage, Wire, request, sign_in_line

HOME = "192.0.2.1"


def poll(uin: int, *, ver: str = "1.4", seq: int = 300) -> str:
    """Return the line that fetches what waits."""
    return f"VER={ver}&CMD=GetMsgEx&SEQ={seq}&UIN={uin}"


async def post_and_leave(stage: Stage, line: str, host: str = HOME) -> MemoryLink:
    """Send a line over HTTP and read nothing of what it is answered."""
    link = stage.link((host, 50000))
    link.stop_reading()
    await link.send(f"POST / HTTP/1.1\r\nContent-Length: {len(line)}\r\n\r\n{line}".encode())
    await stage.idle()
    return link


async def sign_in_over_http(stage: Stage, uin: int, host: str = HOME) -> None:
    """Open a session over HTTP."""
    assert "&RES=0&RS=0&" in await stage.post(sign_in_line(uin), host)


async def fetch(stage: Stage, uin: int, host: str = HOME) -> str:
    """Fetch what waits over HTTP; return all after `RES=0`."""
    answer = await stage.post(poll(uin), host)
    head = f"VER=1.1&CMD=GETMSGEX&SEQ=300&UIN={uin}&RES=0&"
    assert answer.startswith(head), answer
    assert answer.endswith("\r\n")
    return answer.removeprefix(head).removesuffix("\r\n")


def texts(answer: str) -> list[str]:
    """Return the texts in an answer."""
    return answer.strip().partition("&MG=")[2].split(",")[:-1]


async def put(stage: Stage, sender: int, to: int, *texts: str, kind: Kind = Kind.MESSAGE) -> None:
    """Have things wait for somebody."""
    for text in texts:
        await stage.server._services.inbox.put(sender, to, text, kind)
    await stage.idle()


# --- sending -------------------------------------------------------------------------------------


async def test_message(stage: Stage) -> None:
    """A message is acknowledged and pushed in the forms of the protocol."""
    juliet = await stage.sign_in(JULIET)
    romeo = await stage.sign_in(ROMEO)
    await juliet.hear()
    line = request("CLTMSG", ROMEO, f"UN={JULIET}&MG=hello%2C world%0D%0a=&x", seq=203)
    assert await romeo.ask(line) == "VER=1.1&CMD=CLTMSG&SEQ=203&UIN=10001&RES=0"
    assert await juliet.hear() == (
        "VER=1.1&CMD=Server_Msg&SEQ=1000000001&UIN=10002&RES=0&MN=1&MT=9&UN=10001"
        "&MG=hello%2c world%0D%0a=%26x"
    )


@pytest.mark.parametrize(("to", "res"), [(PARIS, 1), (ROMEO, 1), (99, 5), (10**19, 5)])
async def test_message_to_no_friend(stage: Stage, to: int, res: int) -> None:
    """A stranger and oneself are refused, a number nobody has is RES=5."""
    romeo = await stage.sign_in(ROMEO)
    assert await romeo.ask(request("CLTMSG", ROMEO, f"UN={to}&MG=hi")) == (
        f"VER=1.1&CMD=CLTMSG&SEQ=201&UIN=10001&RES={res}"
    )


async def test_message_of_a_stranger(stage: Stage) -> None:
    """Who lets anyone write gets messages of strangers."""
    await stage.store.change_account(PARIS, who_may_write="anyone")
    romeo, paris = await stage.sign_in(ROMEO), await stage.sign_in(PARIS)
    assert (await romeo.ask(request("CLTMSG", ROMEO, f"UN={PARIS}&MG=hi"))).endswith("&RES=0")
    assert (await paris.hear()).endswith("&MT=9&UN=10001&MG=hi")
    assert (await paris.ask(request("CLTMSG", PARIS, f"UN={ROMEO}&MG=hi"))).endswith("&RES=1")


async def test_messages_stored_are_counted(stage: Stage) -> None:
    """Those that are on disk, not those that were refused or could not be written."""
    metrics = stage.server._services.metrics
    romeo = await stage.sign_in(ROMEO)
    await romeo.ask(request("CLTMSG", ROMEO, f"UN={JULIET}&MG=hi"))
    await romeo.ask(request("CLTMSG", ROMEO, f"UN={PARIS}&MG=hi"))
    await stage.idle()
    assert metrics.messages_stored == 1
    stage.store._database.execute(
        "CREATE TRIGGER full BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    answer = await romeo.ask(request("CLTMSG", ROMEO, f"UN={JULIET}&MG=lost"))
    assert answer.endswith("&RES=1")
    await stage.idle()
    assert metrics.messages_stored == 1


async def test_too_many_messages(stage: Stage) -> None:
    """Beyond the rate messages are refused, and counted; a second later there is room again."""
    object.__setattr__(stage.config, "messages_burst", 3)
    object.__setattr__(stage.config, "messages_rate", 1.0)
    romeo = await stage.sign_in(ROMEO)
    answers = [
        await romeo.ask(request("CLTMSG", ROMEO, f"UN={JULIET}&MG=hi", seq=seq))
        for seq in range(1, 6)
    ]
    assert [answer[-1] for answer in answers] == ["0", "0", "0", "1", "1"]
    assert stage.server._services.metrics.refused["messages_rate"] == 2
    await stage.advance(1.0)
    # The very line that was refused is a new attempt, not a repeat.
    answer = await romeo.ask(request("CLTMSG", ROMEO, f"UN={JULIET}&MG=hi", seq=5))
    assert answer.endswith("&RES=0")


async def test_the_same_line_again_is_one_message(stage: Stage) -> None:
    """COMPAT(DEL): three tries while the answer is late are one message, over HTTP and TCP."""
    await sign_in_over_http(stage, ROMEO)
    line = f"VER=1.1&CMD=CLTMSG&SEQ=12345&UIN={ROMEO}&UN={JULIET}&MG=hello"
    for _ in range(3):
        assert await stage.post(line) == "VER=1.1&CMD=CLTMSG&SEQ=12345&UIN=10001&RES=0\r\n"
    romeo = await stage.sign_in(ROMEO)
    assert (await romeo.ask(line)).endswith("&RES=0")
    await romeo.ask(line.replace("12345", "12346"))
    assert stage.store.count_messages(JULIET, 9) == 2
    await stage.advance(10.0)
    await romeo.ask(line)
    assert stage.store.count_messages(JULIET, 9) == 3


# --- fetching ------------------------------------------------------------------------------------


@pytest.mark.parametrize("ver", ["1.0", "1.1", "1.4"])
async def test_nothing_waits(stage: Stage, ver: str) -> None:
    """With nothing there is only `MN=0`, and a line end."""
    await sign_in_over_http(stage, ROMEO)
    assert await stage.post(poll(ROMEO, ver=ver)) == (
        "VER=1.1&CMD=GETMSGEX&SEQ=300&UIN=10001&RES=0&MN=0\r\n"
    )


async def test_fetch(stage: Stage) -> None:
    """Statuses first, then what waits, oldest first; lists in the order that clients cut by."""
    await sign_in_over_http(stage, ROMEO)
    await put(stage, JULIET, ROMEO, "hello, you", "1+1=2 & 100 %\r\n")
    await put(stage, PARIS, ROMEO, "It is me", kind=Kind.REQUEST)
    await put(stage, PARIS, ROMEO, "罗密欧?", kind=Kind.REFUSED)
    await put(stage, PARIS, ROMEO, "", kind=Kind.ACCEPTED)
    await put(stage, 10000, ROMEO, "hear")
    await stage.sign_in(JULIET)
    assert await fetch(stage, ROMEO) == (
        "MN=7&MT=99,9,9,2,4,3,9,&UN=10002,10002,10002,10003,10003,10003,10000,"
        "&MG=10,hello%2c you,1+1=2 %26 100 %25%0D%0a,It is me,罗密欧?, ,hear,"
    )
    assert await fetch(stage, ROMEO) == "MN=0"
    assert stage.store.count_messages(ROMEO, 9) == 0


async def test_empty_texts_are_blanks(stage: Stage) -> None:
    """COMPAT(SET_MQQ): who skips empty elements has as many texts as senders all the same."""
    await sign_in_over_http(stage, ROMEO)
    await put(stage, JULIET, ROMEO, "", "hi", "")
    answer = await fetch(stage, ROMEO)
    assert answer == "MN=3&MT=9,9,9,&UN=10002,10002,10002,&MG= ,hi, ,"
    numbers, texts = (
        [item for item in answer.partition(f"&{key}=")[2].partition("&")[0].split(",") if item]
        for key in ("UN", "MG")
    )
    assert len(numbers) == len(texts) == 3


async def test_so_much_at_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No more things than the limit come at once, and none is left out or comes twice."""
    async with Stage(tmp_path_factory.mktemp("data"), take_limit=3) as stage:
        stage.add(ROMEO, JULIET, PARIS)
        await sign_in_over_http(stage, ROMEO)
        await stage.sign_in(JULIET)
        await stage.sign_in(PARIS)
        await put(stage, JULIET, ROMEO, *"abcde")
        assert [(await fetch(stage, ROMEO)).partition("&MG=")[2] for _ in range(4)] == [
            "10,10,a,", "b,c,d,", "e,", "",
        ]  # fmt: skip


async def test_so_many_bytes_at_once(stage: Stage) -> None:
    """An answer ends before 8 KiB of words, as they are written; a larger text comes alone."""
    await sign_in_over_http(stage, ROMEO)
    texts = ["语" * 1365, "语" * 1365, "%" * 2700, "x", "a" * 16000, "y", "z"]
    await stage.sign_in(JULIET)
    await put(stage, JULIET, ROMEO, *texts)
    answers = [(await fetch(stage, ROMEO)).partition("&MG=")[2] for _ in range(7)]
    assert [answer.replace("%25", "%") for answer in answers] == [
        f"10,{texts[0]},",
        f"{texts[1]},",
        f"{texts[2]},x,",
        f"{texts[4]},",
        "y,z,",
        "",
        "",
    ]
    assert all(len(answer.encode()) <= 8192 for answer in answers if "aaaa" not in answer)


async def test_bytes_that_are_no_utf_8_come_back(stage: Stage) -> None:
    """What a client sent in another encoding is fetched as it was sent."""
    await sign_in_over_http(stage, ROMEO)
    await sign_in_over_http(stage, JULIET)
    line = f"VER=1.1&CMD=CLTMSG&SEQ=1&UIN={ROMEO}&UN={JULIET}&MG=\udcc4\udce3\udcba\udcc3"
    assert (await stage.post(line)).endswith("&RES=0\r\n")
    assert (await fetch(stage, JULIET)).endswith("&MG=\udcc4\udce3\udcba\udcc3,")


# --- what did not arrive -------------------------------------------------------------------------


async def test_an_answer_that_is_lost_comes_again(stage: Stage) -> None:
    """The connection breaks before anything was acknowledged: all of it is fetched again."""
    await sign_in_over_http(stage, ROMEO)
    await put(stage, JULIET, ROMEO, "a", "b")
    await stage.sign_in(JULIET)
    link = await post_and_leave(stage, poll(ROMEO))
    assert stage.store.count_messages(ROMEO, 9) == 2
    link.reset()
    await stage.idle()
    assert (await fetch(stage, ROMEO)).endswith("&MG=10,a,b,")
    assert await fetch(stage, ROMEO) == "MN=0"


@pytest.mark.parametrize("signs_in_again", [False, True])
async def test_who_asks_again_before_the_answer_has_arrived(
    stage: Stage, signs_in_again: bool
) -> None:
    """The next request takes it again; what becomes of the first answer changes nothing then.

    COMPAT(SET_MQQ): so does the next after one more sign-in.
    """
    await sign_in_over_http(stage, ROMEO)
    await put(stage, JULIET, ROMEO, "a")
    first = await post_and_leave(stage, poll(ROMEO))
    await put(stage, JULIET, ROMEO, "b")
    if signs_in_again:
        await sign_in_over_http(stage, ROMEO)
    assert (await fetch(stage, ROMEO)).endswith("&MG=a,b,")
    await put(stage, JULIET, ROMEO, "c")
    first.reset()
    await stage.idle()
    assert (await fetch(stage, ROMEO)).endswith("&MG=c,")


async def test_an_answer_lost_long_ago_brings_nothing_old(stage: Stage) -> None:
    """It is lost after a sign-out and a new session: what came there comes no more."""
    await sign_in_over_http(stage, ROMEO)
    await put(stage, JULIET, ROMEO, "a")
    juliet = await stage.sign_in(JULIET)
    first = await post_and_leave(stage, poll(ROMEO))
    await stage.post(request("Logout", ROMEO))
    await sign_in_over_http(stage, ROMEO)
    await juliet.ask(request("Change_Stat", JULIET, "ST=40"))
    await stage.idle()
    assert (await fetch(stage, ROMEO)).endswith("&MG=20,a,")
    first.reset()
    await stage.idle()
    assert await fetch(stage, ROMEO) == "MN=0"


@pytest.mark.parametrize("signs_out", [True, False])
async def test_what_has_arrived_is_not_shown_after_a_sign_out(
    stage: Stage, signs_out: bool
) -> None:
    """Though nobody has looked whether it has; nor elsewhere, without a sign-out."""
    await sign_in_over_http(stage, ROMEO)
    await put(stage, JULIET, ROMEO, "a")
    link = await post_and_leave(stage, poll(ROMEO))
    link.start_reading()
    if signs_out:
        await stage.post(request("Logout", ROMEO))
    await sign_in_over_http(stage, ROMEO, "198.51.100.7")
    assert await fetch(stage, ROMEO, "198.51.100.7") == "MN=0"


async def test_who_signs_in_elsewhere_gets_what_did_not_arrive(stage: Stage) -> None:
    """Also from another place over HTTP, and what has arrived is not shown there."""
    await sign_in_over_http(stage, ROMEO)
    await put(stage, JULIET, ROMEO, "arrived")
    assert (await fetch(stage, ROMEO)).endswith("&MG=arrived,")
    await put(stage, JULIET, ROMEO, "lost")
    first = await post_and_leave(stage, poll(ROMEO))
    await sign_in_over_http(stage, ROMEO, "198.51.100.7")
    assert (await fetch(stage, ROMEO, "198.51.100.7")).endswith("&MG=lost,")
    await put(stage, JULIET, ROMEO, "new")
    first.reset()
    await stage.idle()
    assert (await fetch(stage, ROMEO, "198.51.100.7")).endswith("&MG=new,")
    assert await stage.post(poll(ROMEO)) == ("VER=1.1&CMD=GETMSGEX&SEQ=300&UIN=10001&RES=20\r\n")


async def test_what_waits_survives_the_server(stage: Stage) -> None:
    """A server that dies with an answer on its way forgets the session and loses no message."""
    await sign_in_over_http(stage, ROMEO)
    await put(stage, JULIET, ROMEO, "a")
    await post_and_leave(stage, poll(ROMEO))
    await stage.die()
    assert (await stage.post(poll(ROMEO))).endswith("&RES=20\r\n")
    await sign_in_over_http(stage, ROMEO)
    assert (await fetch(stage, ROMEO)).endswith("&MG=a,")


async def test_deletion_takes_its_time(stage: Stage) -> None:
    """What has arrived is not fetched again while the disk is slow to delete it."""
    await sign_in_over_http(stage, ROMEO)
    await put(stage, JULIET, ROMEO, "a")
    path = stage.config.data / "kqq.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        link = stage.link((HOME, 50000))
        for fetched in ("&MG=a,", "&MN=0"):
            data = poll(ROMEO)
            head = f"POST / HTTP/1.1\r\nConnection: keep-alive\r\nContent-Length: {len(data)}"
            await link.send(f"{head}\r\n\r\n{data}".encode())
            assert (await link.receive()).endswith(f"{fetched}\r\n".encode())
        assert stage.store.count_messages(ROMEO, 9) == 1
    await stage.idle()
    assert stage.store.count_messages(ROMEO, 9) == 0


# --- over HTTP with numbers used once ------------------------------------------------------------

X, Y, Z = 2_000_000_001, 2_000_000_002, 1_999_999_999
CAFE = "198.51.100.7"


async def ours(stage: Stage, seq: int, host: str = HOME) -> str:
    """Fetch with a number of ten digits; return all after `RES=0`."""
    answer = await stage.post(poll(ROMEO, seq=seq), host)
    head = f"VER=1.1&CMD=GETMSGEX&SEQ={seq}&UIN={ROMEO}&RES=0&"
    assert answer.startswith(head), answer
    return answer.removeprefix(head).removesuffix("\r\n")


@pytest.mark.parametrize("is_lost", [False, True])
async def test_the_same_line_gets_the_same_answer(stage: Stage, is_lost: bool) -> None:
    """Whether the system saw the first acknowledged or not, and whatever came since; no other."""
    await sign_in_over_http(stage, ROMEO)
    await put(stage, JULIET, ROMEO, "a", "b")
    await stage.sign_in(JULIET)
    if is_lost:
        link = await post_and_leave(stage, poll(ROMEO, seq=X))
        link.reset()
        await stage.idle()
    else:
        assert (await ours(stage, X)).endswith("&MG=10,a,b,")
        assert stage.store.count_messages(ROMEO, 9) == 0
    await put(stage, JULIET, ROMEO, "c")
    for _ in range(3):
        assert (await ours(stage, X)).endswith("&MG=10,a,b,")
    assert stage.store.count_messages(ROMEO, 9) == 1
    # A status may be told twice: what somebody is does not change by that.
    assert texts(await ours(stage, Y)) == (["10", "c"] if is_lost else ["c"])
    assert await ours(stage, Z) == "MN=0"
    assert stage.store.count_messages(ROMEO, 9) == 0


async def test_lost_any_number_of_times(stage: Stage) -> None:
    """The same answer comes until the next number says that it was read."""
    await sign_in_over_http(stage, ROMEO)
    await put(stage, JULIET, ROMEO, "a")
    for _ in range(3):
        link = await post_and_leave(stage, poll(ROMEO, seq=X))
        await put(stage, JULIET, ROMEO, "later")
        link.reset()
        await stage.idle()
    assert stage.store.count_messages(ROMEO, 9) == 4
    assert texts(await ours(stage, X)) == ["a"]
    assert texts(await ours(stage, Y)) == ["later"] * 3
    assert await ours(stage, Z) == "MN=0"


@pytest.mark.parametrize("is_open", [False, True])
async def test_another_number_says_that_the_answer_has_arrived(stage: Stage, is_open: bool) -> None:
    """Though no system has said so: its connection broke, or is still open."""
    await sign_in_over_http(stage, ROMEO)
    await put(stage, JULIET, ROMEO, "a")
    link = await post_and_leave(stage, poll(ROMEO, seq=X))
    if not is_open:
        link.reset()
        await stage.idle()
    assert stage.store.count_messages(ROMEO, 9) == 1
    await put(stage, JULIET, ROMEO, "b")
    assert texts(await ours(stage, Y)) == ["b"]
    assert stage.store.count_messages(ROMEO, 9) == 0
    link.start_reading()
    await stage.advance(1.0)
    assert await ours(stage, Z) == "MN=0"


async def test_statuses_only(stage: Stage) -> None:
    """What the same line brings again are the statuses of then; those of now come after."""
    await sign_in_over_http(stage, ROMEO)
    juliet = await stage.sign_in(JULIET)
    link = await post_and_leave(stage, poll(ROMEO, seq=X))
    await juliet.ask(request("Change_Stat", JULIET, "ST=30"))
    await stage.idle()
    link.reset()
    await stage.idle()
    assert (await ours(stage, X)).endswith("&MG=10,")
    assert (await ours(stage, Y)).endswith("&MG=30,")
    assert await ours(stage, Z) == "MN=0"


async def test_an_answer_that_brought_nothing_is_not_kept(stage: Stage) -> None:
    """The same line then asks anew."""
    await sign_in_over_http(stage, ROMEO)
    assert await ours(stage, X) == "MN=0"
    await put(stage, JULIET, ROMEO, "a")
    assert texts(await ours(stage, X)) == ["a"]
    assert texts(await ours(stage, X)) == ["a"]
    assert await ours(stage, Y) == "MN=0"


async def test_a_request_that_was_held_up_takes_nothing(stage: Stage) -> None:
    """One that comes after the next is not the next: nobody waits for its answer any more."""
    await sign_in_over_http(stage, ROMEO)
    await put(stage, JULIET, ROMEO, "a")
    assert texts(await ours(stage, X)) == ["a"]
    await put(stage, JULIET, ROMEO, "b")
    link = await post_and_leave(stage, poll(ROMEO, seq=Y))
    link.reset()
    await stage.idle()
    assert await ours(stage, X) == "MN=0"
    assert texts(await ours(stage, Y)) == ["b"]
    assert await ours(stage, Z) == "MN=0"
    await put(stage, JULIET, ROMEO, "c")
    assert await ours(stage, Y) == "MN=0"
    assert texts(await ours(stage, X + 100)) == ["c"]


async def test_short_numbers_say_nothing(stage: Stage) -> None:
    """With them the same line asks anew, and another does not say that anything has arrived."""
    await sign_in_over_http(stage, ROMEO)
    await put(stage, JULIET, ROMEO, "a")
    link = await post_and_leave(stage, poll(ROMEO, seq=300))
    link.reset()
    await stage.idle()
    assert texts(await stage.post(poll(ROMEO, seq=301))) == ["a"]
    assert texts(await stage.post(poll(ROMEO, seq=301))) == []


@pytest.mark.parametrize("host", [HOME, CAFE])
async def test_the_same_line_after_one_more_sign_in(stage: Stage, host: str) -> None:
    """A client that lost its connection and signed in again is answered the same, anywhere."""
    await sign_in_over_http(stage, ROMEO)
    await put(stage, JULIET, ROMEO, "a")
    assert texts(await ours(stage, X)) == ["a"]
    await sign_in_over_http(stage, ROMEO, host)
    await put(stage, JULIET, ROMEO, "b")
    assert texts(await ours(stage, X, host)) == ["a"]
    link = await post_and_leave(stage, poll(ROMEO, seq=Y), host)
    link.reset()
    await stage.idle()
    await sign_in_over_http(stage, ROMEO, host)
    assert texts(await ours(stage, Y, host)) == ["b"]
    assert await ours(stage, Z, host) == "MN=0"
    assert stage.store.count_messages(ROMEO, 9) == 0


@pytest.mark.parametrize("host", [HOME, CAFE])
async def test_another_number_after_one_more_sign_in(stage: Stage, host: str) -> None:
    """Who has signed in may be another program, and know nothing of what was not acknowledged."""
    await sign_in_over_http(stage, ROMEO)
    await put(stage, JULIET, ROMEO, "a")
    link = await post_and_leave(stage, poll(ROMEO, seq=X))
    link.reset()
    await stage.idle()
    await sign_in_over_http(stage, ROMEO, host)
    assert texts(await ours(stage, Y, host)) == ["a"]
    assert await ours(stage, Z, host) == "MN=0"


async def test_a_session_on_a_connection_has_nothing_of_it(stage: Stage) -> None:
    """There messages are pushed, and the same line asks anew."""
    await sign_in_over_http(stage, ROMEO)
    await put(stage, JULIET, ROMEO, "a")
    assert texts(await ours(stage, X)) == ["a"]
    romeo = await stage.sign_in(ROMEO)
    assert (await romeo.ask(poll(ROMEO, seq=X))).endswith("&RES=0&MN=0")
    await sign_in_over_http(stage, ROMEO)
    assert await ours(stage, X) == "MN=0"


# --- on a connection -----------------------------------------------------------------------------


async def test_fetching_on_a_connection(stage: Stage) -> None:
    """What is pushed is not fetched, too; COMPAT(yiwoSDK): 1.1 commands on a 1.4 connection."""
    romeo = await stage.sign_in(ROMEO)
    await put(stage, JULIET, ROMEO, "pushed")
    assert (await romeo.hear()).endswith("&MG=pushed")
    assert await romeo.ask(poll(ROMEO, ver="1.1")) == (
        "VER=1.1&CMD=GETMSGEX&SEQ=300&UIN=10001&RES=0&MN=0"
    )


async def test_what_does_not_fit_is_pushed(stage: Stage) -> None:
    """On a connection all that waits comes in order, in the answer and by pushes beside it."""
    await put(stage, JULIET, ROMEO, *("语" * 1365 for _ in range(3)), "last")
    wire: Wire = stage.connect()
    await wire.say(sign_in_line(ROMEO), poll(ROMEO))
    await stage.idle()
    lines = wire.waiting()
    texts = [line.partition("&MG=")[2].rstrip(",") for line in lines if "&MG=" in line]
    assert ",".join(texts).split(",") == ["语" * 1365] * 3 + ["last"]
    assert sum("&CMD=GETMSGEX&" in line for line in lines) == 1
    assert stage.store.count_messages(ROMEO, 9) == 0


async def test_confirming_what_was_pushed(stage: Stage) -> None:
    """On a connection whose Login had ten digits; shorter numbers ask there as they always did."""
    wire = stage.connect()
    await wire.ask(sign_in_line(ROMEO, seq=1_414_213_562))
    await put(stage, JULIET, ROMEO, "a", "b")
    seqs = [line.split("&")[2] for line in wire.waiting()]
    assert seqs == ["SEQ=1000000001", "SEQ=1000000002"]
    assert stage.store.count_messages(ROMEO, 9) == 2
    assert (await wire.ask(poll(ROMEO))).endswith("&SEQ=300&UIN=10001&RES=0&MN=0")
    for number, left in ((0, 2), (1, 1), (3, 1), (999_999_999, 1), (10**9, 1), (2, 0)):
        answer = await wire.ask(poll(ROMEO, seq=10**9 + number))
        assert answer.endswith(f"&SEQ={10**9 + number}&UIN=10001&RES=0&MN=0")
        await stage.idle()
        assert stage.store.count_messages(ROMEO, 9) == left, number


@pytest.mark.parametrize(("taken", "number", "stored"), [
    (0, 0, 0), (7, 0, 0), (7, 7, 7), (7, 5, 5), (7, 8, 8 - 10**9), (10**9, 0, 10**9),
    (10**9 + 3, 3, 10**9 + 3), (10**9 + 3, 4, 4), (3, -1, 0), (3, 10**9 + 3, 0),
])  # fmt: skip
def test_which_message_has_a_number(taken: int, number: int, stored: int) -> None:
    """The newest that was taken and is pushed with it."""
    assert messaging._id_of(str(10**9 + number).zfill(10), taken) == stored


@pytest.mark.parametrize(("kind", "number"), [
    (Kind.MESSAGE, 9), (Kind.REQUEST, 2), (Kind.ACCEPTED, 3), (Kind.REFUSED, 4),
])  # fmt: skip
def test_pushed_message(kind: Kind, number: int) -> None:
    """`UN` at 7 and `MG` at 8, where ZNQQ and QQBot look for them; `MT` says what it is."""
    made = push(Stored(1, JULIET, "a, b", kind), 31, ROMEO)
    assert made.spec.write(made).decode() == (
        f"VER=1.1&CMD=Server_Msg&SEQ=1000000001&UIN=10001&RES=0&MN=1&MT={number}&UN=10002&MG=a%2c b"
    )


@pytest.mark.parametrize(("stored", "seq"), [
    (1, "1000000001"), (999_999_999, "1999999999"),
    (10**9, "1000000000"), (10**9 + 1, "1000000001"), (2**63 - 1, "1854775807"),
])  # fmt: skip
def test_number_of_a_pushed_message(stored: int, seq: str) -> None:
    """Ten digits that fit into 31 bits, by what is stored and nothing else."""
    made = [push(Stored(stored, JULIET, "hi"), count, ROMEO).seq for count in (1, 2)]
    assert made == [seq, seq]
    assert int(seq) < 2**31


def test_pushed_status() -> None:
    """`ST` at 5, `UN` at 6; hidden never comes here, but would not be told."""
    made = push(StatusChange(JULIET, Status.AWAY), 32, ROMEO)
    assert made.spec.write(made) == (
        b"VER=1.1&CMD=update_stat&SEQ=32&UIN=10001&RES=0&ST=30&UN=10002"
    )
