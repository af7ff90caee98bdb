"""One end of a conversation: bytes in, events out, and time as an argument."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kqq.errors import LocalProtocolError, RemoteProtocolError
from kqq.protocol import (
    Answered,
    CaptchaAnswer,
    CaptchaChallenge,
    Closed,
    CltMsg,
    CltMsgReply,
    Connection,
    Event,
    Expired,
    Failure,
    Framing,
    GetMsgEx,
    GetMsgExReply,
    Head,
    Idle,
    Limits,
    Line,
    Login,
    LoginReply,
    Logout,
    Message,
    Reply,
    Request,
    Role,
    ServerConfig,
    ServerMsg,
    Unreadable,
    UpdateStat,
    decode,
    encode,
)
from kqq.protocol.connection import LINE_END
from strategies import LINES, ROLES, cuts
from vectors import VECTORS, Vector

MD5 = "5ebe2294ecd0e0f08eab7690d2a6ee69"
LOGIN = Login(seq="200", uin=10001, password_md5=MD5, licence="812822641C978097")
LOGGED_IN = LoginReply(seq="200", uin=10001, result=0)
LETTERS = CaptchaAnswer(seq="201", uin=10001, letters="DBVP")
SAID = CltMsg(seq="203", uin=10001, to=10002, text="hello")
SAID_REPLY = CltMsgReply(seq="203", uin=10001)
ASKED = GetMsgEx(seq="203", uin=10001)
ASKED_REPLY = GetMsgExReply(seq="203", uin=10001, count=0)
HEARD = ServerMsg(seq="203", uin=10001, sender=10002, text="hello")
AWAY = UpdateStat(seq="203", uin=10001, status=30, number=10002)


def wire(*messages: Message) -> bytes:
    """Return the bytes of messages, as they are sent."""
    return b"".join(encode(message) + LINE_END for message in messages)


def fed(
    stream: bytes, role: Role = Role.CLIENT, sent: Sequence[Message] = (), limit: int = 2000
) -> list[Event]:
    """Return the events of `stream`, the same whether it comes whole, by bytes or with more."""
    found = []
    for pieces in ([stream], [stream[at : at + 1] for at in range(len(stream))]):
        connection = Connection(role, limits=Limits(line=limit))
        for message in sent:
            connection.send(message, 0)
        found.append([event for piece in pieces if piece for event in connection.receive(piece, 1)])
    connection = Connection(role, limits=Limits(line=limit))
    for message in sent:
        connection.send(message, 0)
    found.append(connection.receive(stream + b"VER=1.4&CMD=trail", 1))
    words = [list(map(str, events)) for events in found]
    assert words[0] == words[1] == words[2]
    return found[0]


# --- what answers what ---------------------------------------------------------------------------


def test_a_reply_comes_with_its_request() -> None:
    """A client gets a reply paired with the request it answers."""
    assert fed(wire(SAID_REPLY), sent=[SAID]) == [Answered(SAID, SAID_REPLY)]


def test_replies_are_matched_by_command_and_seq() -> None:
    """Requests with the same SEQ are told apart by command, in any order of the replies."""
    assert fed(wire(ASKED_REPLY, SAID_REPLY), sent=[SAID, ASKED]) == [
        Answered(ASKED, ASKED_REPLY),
        Answered(SAID, SAID_REPLY),
    ]


def test_a_reply_answers_once() -> None:
    """A second reply with the same SEQ is bare; the first of two equal requests goes first."""
    assert fed(wire(SAID_REPLY, SAID_REPLY), sent=[SAID]) == [
        Answered(SAID, SAID_REPLY),
        SAID_REPLY,
    ]
    again = CltMsg(seq="203", uin=10001, to=10002, text="again")
    assert fed(wire(SAID_REPLY), sent=[SAID, again]) == [Answered(SAID, SAID_REPLY)]


@pytest.mark.parametrize(
    "reply",
    [CltMsgReply(seq="204", uin=10001), CltMsgReply(seq="0203", uin=10001), ASKED_REPLY],
)
def test_a_reply_to_nothing_is_bare(reply: Reply) -> None:
    """A reply with another SEQ or command answers nothing."""
    assert fed(wire(reply), sent=[SAID]) == [reply]
    assert fed(wire(reply)) == [reply]


def test_pushes_answer_nothing() -> None:
    """Pushes number themselves: one with the SEQ of a request is still a push."""
    assert fed(wire(HEARD, SAID_REPLY, AWAY), sent=[SAID]) == [
        HEARD,
        Answered(SAID, SAID_REPLY),
        AWAY,
    ]


@pytest.mark.parametrize("name", ["CLTMSG", "CltMsg"])
def test_a_refusal_answers(name: str) -> None:
    """A refusal answers the request whose command it echoes, in any case of letters."""
    refusal = Failure(seq="203", uin=10001, name=name, res=20)
    assert fed(wire(refusal), sent=[SAID]) == [Answered(SAID, refusal)]


def test_a_captcha_answers_a_sign_in() -> None:
    """What a request may be answered by is declared: a captcha answers Login, and letters."""
    first = CaptchaChallenge(seq="200", uin=10001, image=b"\x89")
    second = CaptchaChallenge(seq="201", uin=10001, image=b"\x89")
    assert fed(wire(first, second), sent=[LOGIN, LETTERS]) == [
        Answered(LOGIN, first),
        Answered(LETTERS, second),
    ]


@pytest.mark.parametrize("seq", ["200", "201", "7"])
def test_the_sign_in_after_a_captcha_may_have_any_seq(seq: str) -> None:
    """Which SEQ it carries is unknown, so it answers the letters that are waiting."""
    reply = LoginReply(seq=seq, uin=10001, result=0)
    assert fed(wire(reply), sent=[SAID, LETTERS]) == [Answered(LETTERS, reply)]


def test_a_sign_in_line_nobody_waits_for_is_bare() -> None:
    """Without letters waiting, a sign-in line with another SEQ answers nothing."""
    reply = LoginReply(seq="7", uin=10001, result=0)
    assert fed(wire(reply), sent=[LOGIN, SAID]) == [reply]


def test_a_server_gets_requests() -> None:
    """A server gets each request as it is, and answers it."""
    assert fed(wire(LOGIN, SAID), Role.SERVER) == [LOGIN, SAID]
    server = Connection(Role.SERVER)
    assert server.send(LOGGED_IN, 0) == wire(LOGGED_IN)
    assert server.send(HEARD, 0) == wire(HEARD)
    assert server.send(ServerConfig(count=0, types=(), addresses=()), 0).endswith(b"URL=\r\n")
    assert server.deadline() is None


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_every_vector_comes_through(vector: Vector) -> None:
    """A vector followed by another line gives its message, and the other one, fed any way."""
    following: Message = SAID if vector.sender is Role.CLIENT else AWAY
    *lines, last = vector.raw.removesuffix(b"\n").split(b"\n")
    events = fed(b"\n".join([*lines, last, b""]) + wire(following), vector.sender.other)
    assert events[-1] == following
    if not lines and len(last) > 2:
        assert events[:-1] == [decode(vector.line, vector.sender)]


# --- what a connection makes of bytes ------------------------------------------------------------


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_either_line_end_is_taken(end: bytes) -> None:
    """LF with and without CR before it end a line."""
    assert fed(encode(LOGIN) + end + encode(SAID) + end, Role.SERVER) == [LOGIN, SAID]


@pytest.mark.parametrize(
    ("stream", "old"),
    [
        (wire(LOGIN), False),
        (encode(LOGIN) + b"\n", True),
        (b"\x89\x01" + wire(LOGIN), True),
        (encode(LOGIN), False),
        (wire(LOGIN) + encode(SAID) + b"\n", True),
    ],
)
def test_old_habits_are_noticed(stream: bytes, old: bool) -> None:
    """A bare LF or junk in front is what only programs do that take each read for a message."""
    connection = Connection(Role.SERVER)
    assert not connection.old_habits
    connection.receive(stream, 0)
    assert connection.old_habits is old


@pytest.mark.parametrize(
    ("pieces", "pipelines"),
    [
        ([wire(SAID)], False),
        ([wire(SAID), wire(SAID)], False),
        ([wire(SAID) + encode(SAID), b"\r\n"], False),
        ([b"\r\n\r\n" + wire(SAID)], False),
        ([wire(SAID, SAID)], True),
        ([wire(SAID), encode(SAID), b"\r\n" + wire(SAID)], True),
        ([wire(SAID) + b"hello\r\n"], True),
        ([wire(SAID, SAID), wire(SAID)], True),
        ([encode(SAID) + b"\n" + encode(SAID) + b"\n"], False),
        ([b"\x8e\x01" + wire(SAID, SAID)], False),
        ([wire(SAID, SAID), b"V" + wire(SAID)], False),
        ([wire(SAID, SAID), b"\n"], False),
    ],
)
def test_pipelining_is_noticed(pieces: list[bytes], pipelines: bool) -> None:
    """Who sends two lines in one go reads a stream, unless something shows that it does not."""
    connection = Connection(Role.SERVER)
    assert not connection.pipelines
    for piece in pieces:
        connection.receive(piece, 0)
    assert connection.pipelines is pipelines


@pytest.mark.parametrize("noise", [b"\n", b"\r\n", b"\x81\n", b"\x85\x0a", b"ab\n", b"\n\r\n"])
def test_fragments_of_a_prefix_are_no_lines(noise: bytes) -> None:
    """One or two bytes before a line, and empty lines, get no answer."""
    assert fed(noise + wire(SAID), Role.SERVER) == [SAID]


@pytest.mark.parametrize("line", [b"abc\n", b"A=\n", b"=\n"])
def test_more_than_a_fragment_is_a_line(line: bytes) -> None:
    """Three bytes, or a field, are a line that cannot be read."""
    events = fed(line, Role.SERVER)
    assert [type(event) for event in events] == [Unreadable]


def test_lines_before_one_too_long_are_given() -> None:
    """A line over the limit ends the conversation, after the lines before it."""
    events = fed(wire(SAID) + b"PS=secret&" + b"x" * 200 + b"\n", Role.SERVER, limit=100)
    assert events[0] == SAID
    assert len(events) == 2
    closed = events[1]
    assert isinstance(closed, Closed)
    assert isinstance(closed.error, RemoteProtocolError)
    assert "longer than 100 bytes" in str(closed.error)
    assert "secret" not in str(closed.error)


def fed_too_long() -> Connection:
    """Return a connection that a line too long has ended."""
    connection = Connection(Role.SERVER, limits=Limits(line=10, idle=1))
    assert [type(event) for event in connection.receive(b"x" * 11, 0)] == [Closed]
    return connection


def ended() -> Connection:
    """Return a client whose stream ended while it waited for an answer."""
    connection = Connection(Role.CLIENT, limits=Limits(answer=5, idle=1))
    connection.send(SAID, 0)
    assert connection.receive(b"", 0) == [Closed()]
    return connection


@pytest.mark.parametrize("connection", [fed_too_long(), ended()])
def test_after_the_end_nothing_comes(connection: Connection) -> None:
    """A closed connection takes no bytes and has no deadline."""
    assert connection.closed
    assert connection.receive(wire(SAID), 1) == []
    assert connection.receive(b"", 1) == []
    assert connection.deadline() is None
    assert connection.tick(1000) == []


def test_a_server_may_answer_after_the_end() -> None:
    """A client that stopped talking still gets the answers to what it said before."""
    connection = Connection(Role.SERVER)
    assert connection.receive(b"", 0) == [Closed()]
    assert connection.send(SAID_REPLY, 1) == wire(SAID_REPLY)


def test_a_client_cannot_send_after_the_end() -> None:
    """Nobody would answer a request on a closed connection, so it is refused."""
    connection = Connection(Role.CLIENT)
    assert connection.receive(b"", 0) == [Closed()]
    with pytest.raises(LocalProtocolError, match="the connection is closed; open another one"):
        connection.send(SAID, 1)


def test_half_a_line_is_not_read() -> None:
    """What came of a line without its end is handed over as bytes, not as a message."""
    connection = Connection(Role.SERVER)
    assert connection.receive(wire(LOGIN) + encode(SAID), 0) == [LOGIN]
    assert not connection.closed
    assert connection.receive(b"", 0) == [Closed(unfinished=encode(SAID))]
    assert connection.closed


# --- the body of a POST --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (encode(SAID), "hello"),
        (wire(SAID), "hello"),
        (encode(SAID) + b"\nagain\r\n", "hello\nagain"),
    ],
)
def test_a_body_is_one_line(body: bytes, text: str) -> None:
    """With BODY framing a line ends with the stream, line ends inside belong to its words."""
    for pieces in ([body], [body[at : at + 1] for at in range(len(body))]):
        connection = Connection(Role.SERVER, Framing.BODY)
        assert all(connection.receive(piece, 0) == [] for piece in pieces)
        events = connection.receive(b"", 0)
        assert events == [CltMsg(seq="203", uin=10001, to=10002, text=text), Closed()]


def test_a_body_answers_a_request() -> None:
    """A client sends its body without line end, and gets the answer paired."""
    connection = Connection(Role.CLIENT, Framing.BODY)
    assert connection.send(SAID, 0) == encode(SAID)
    assert connection.receive(wire(SAID_REPLY), 1) == []
    assert connection.receive(b"", 1) == [Answered(SAID, SAID_REPLY), Closed()]


def test_an_empty_body_says_nothing() -> None:
    """The server of 2005 answered a bad request with an empty body."""
    connection = Connection(Role.CLIENT, Framing.BODY)
    connection.send(SAID, 0)
    assert connection.receive(b"", 1) == [Closed()]


def test_a_body_too_long_is_an_error() -> None:
    """A body over the limit ends the conversation."""
    connection = Connection(Role.SERVER, Framing.BODY, Limits(line=10))
    assert connection.receive(b"x" * 10, 0) == []
    (closed,) = connection.receive(b"x", 0)
    assert isinstance(closed, Closed)
    assert isinstance(closed.error, RemoteProtocolError)
    assert connection.receive(b"x", 0) == []


# --- sending -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "message", "words"),
    [
        (Role.CLIENT, SAID_REPLY, "a client does not send CltMsgReply"),
        (Role.CLIENT, HEARD, "a client does not send ServerMsg"),
        (Role.SERVER, SAID, "a server does not send CltMsg"),
    ],
)
def test_each_end_sends_what_is_its_own(role: Role, message: Message, words: str) -> None:
    """Clients send requests, servers everything else."""
    with pytest.raises(LocalProtocolError, match=words):
        Connection(role).send(message, 0)


def test_what_cannot_be_written_is_not_waited_for() -> None:
    """A message that is refused leaves no trace."""
    connection = Connection(Role.CLIENT)
    with pytest.raises(LocalProtocolError):
        connection.send(Logout(seq="", uin=10001), 0)
    assert connection.deadline() is None


# --- time ----------------------------------------------------------------------------------------


def test_a_request_expires_at_its_deadline() -> None:
    """Without an answer in time a request expires, once; a late answer is bare."""
    client = Connection(Role.CLIENT, limits=Limits(answer=30))
    assert client.deadline() is None
    client.send(SAID, 100)
    client.send(LOGIN, 110)
    assert client.deadline() == 130
    assert client.tick(129.9) == []
    assert client.tick(130) == [Expired(SAID)]
    assert client.deadline() == 140
    assert client.receive(wire(SAID_REPLY, LOGGED_IN), 135) == [
        SAID_REPLY,
        Answered(LOGIN, LOGGED_IN),
    ]
    assert client.deadline() is None
    assert client.tick(1000) == []


def test_requests_expire_in_the_order_sent() -> None:
    """All that are late expire together."""
    client = Connection(Role.CLIENT)
    requests: list[Request[Reply]] = [LOGIN, SAID, ASKED]
    for request in requests:
        client.send(request, 0)
    assert client.tick(30) == [Expired(request) for request in requests]


def test_silence_is_told() -> None:
    """Idle comes after so many seconds without a byte, and again after as many more."""
    server = Connection(Role.SERVER, limits=Limits(idle=300))
    assert server.deadline() is None
    assert server.tick(1000) == []
    server.receive(b"V", 0)
    assert server.deadline() == 300
    assert server.tick(299) == []
    assert server.tick(301) == [Idle(301)]
    assert server.deadline() == 601
    server.receive(b"E", 500)
    assert server.tick(601) == []
    assert server.tick(800) == [Idle(300)]


def test_sending_does_not_break_silence() -> None:
    """The clock of silence starts with the first thing sent, and only bytes received wind it."""
    client = Connection(Role.CLIENT, limits=Limits(answer=1000, idle=300))
    client.send(SAID, 0)
    client.send(ASKED, 200)
    assert client.deadline() == 300
    assert client.tick(300) == [Idle(300)]


# --- any bytes -----------------------------------------------------------------------------------


@given(st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n"])), max_size=4), ROLES, st.data())
def test_any_split_gives_the_same_events(
    lines: list[tuple[bytes, bytes]], role: Role, data: st.DataObject
) -> None:
    """However a stream is cut, the events are the same, and so is the end."""
    stream = b"".join(line + end for line, end in lines)
    whole = Connection(role, limits=Limits(line=200))
    expected = whole.receive(stream, 0) if stream else []
    expected += whole.receive(b"", 0)
    pieces = Connection(role, limits=Limits(line=200))
    events = [event for piece in data.draw(cuts(stream)) for event in pieces.receive(piece, 0)]
    events += pieces.receive(b"", 0)
    assert [str(event) for event in events] == [str(event) for event in expected]
    assert isinstance(events[-1], Closed)
    assert pieces.old_habits == whole.old_habits


def test_the_head_makes_no_difference_to_an_answer() -> None:
    """A 1.1 command on a 1.4 connection is answered as any other."""
    old = CltMsg(seq="203", uin=10001, to=10002, text="hello", head=Head("1.1"))
    assert fed(wire(SAID_REPLY), sent=[old]) == [Answered(old, SAID_REPLY)]


def test_a_line_too_long_to_be_read_is_not_sent() -> None:
    """What the other end would have to refuse is refused here, with the limit."""
    connection = Connection(Role.CLIENT)
    with pytest.raises(LocalProtocolError, match=r"a line of \d+ bytes; the limit is 65536"):
        connection.send(CltMsg(seq="1", uin=10001, to=10002, text="&" * 30000), 0)
    assert connection.deadline() is None


def test_a_line_without_end_can_be_forgotten() -> None:
    """As when the other end has gone; what comes then is a line of its own."""
    connection = Connection(Role.SERVER)
    assert connection.receive(b"VER=1.4&CON=1&CMD=Ls", 0.0) == []
    connection.forget()
    (event,) = connection.receive(wire(SAID), 0.0)
    assert event == SAID


def test_lines_before_they_are_read() -> None:
    """`split` gives whole lines for `read`, until the stream has ended; `ending` says that."""
    server = Connection(Role.SERVER)
    assert server.split(b"VER=1.4&CMD=Log", 0.0) == []
    lines = server.split(b"out&SEQ=1&UIN=10001\r\nrest", 0.0)
    assert lines == [b"VER=1.4&CMD=Logout&SEQ=1&UIN=10001\r"]
    assert server.read(lines[0]) == decode(Line.decode(lines[0]), Role.CLIENT)
    assert [server.ending] == [None]
    assert server.split(b"", 0.0) == []
    assert server.ending == Closed(unfinished=b"rest")
    assert server.split(b"VER=1.4\r\n", 0.0) == []
    assert server.receive(b"VER=1.4\r\n", 0.0) == []
