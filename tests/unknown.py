"""Conversations in protocols that are not ours, as a capture has them: what an inference must bear.

Each function returns what passed on some connections. Nothing in them is like ours on purpose.
"""

import random
import struct
from collections.abc import Iterable

from kqq.capture.events import Closed, Data, End, Opened, Stream

StreamEvent = Opened | Data | Closed
Said = tuple[int, float, bytes]
"""Who speaks (0 the client), when, and the bytes."""
NAMES = ("ada", "bob", "cyd", "dan", "eve")
TEXTS = ("hi there", "how are you, all of you?", "fine", "see you at 8: ok?", "no way!", "grüße")


def captured(talks: Iterable[Iterable[Said]], *, opened: bool = True) -> list[StreamEvent]:
    """Return what a capture of these connections has."""
    events: list[StreamEvent] = []
    frame = 0
    for number, said in enumerate(talks, 1):
        ends = End(f"10.1.0.{number % 250 + 1}", 50000 + number % 9000), End("10.1.1.1", 7000)
        stream = Stream(number, ends, 0 if opened else None)
        events.append(Opened(stream, 0.0, frame))
        for way, time, data in said:
            frame += 1
            events.append(Data(stream, way, time, frame, data))
        events.append(Closed(stream, 0.0, frame, "closed"))
    return events


def chat_lines(talks: int = 5, rounds: int = 30) -> list[StreamEvent]:
    """Words in a row, as in IRC: the first or second one names the command, the last is text."""
    dice = random.Random(1)
    found = []
    for number in range(talks):
        nick = NAMES[number % len(NAMES)]
        time = 100.0 * number
        said: list[Said] = [
            (0, time, f"NICK {nick}\r\n".encode()),
            (0, time + 0.2, f"USER {nick} 0 * :{nick.title()}\r\n".encode()),
            (1, time + 0.4, f":irc.example 001 {nick} :Welcome, {nick}\r\n".encode()),
            (0, time + 0.6, b"JOIN #tea\r\n"),
            (1, time + 0.7, f":{nick}!u@h JOIN #tea\r\n".encode()),
        ]
        for turn in range(rounds):
            time += 2
            other = dice.choice(NAMES)
            text = dice.choice(TEXTS)
            said.append((0, time, f"PRIVMSG #tea :{text}\r\n".encode()))
            said.append((1, time + 1, f":{other}!u@h PRIVMSG #tea :{text}\r\n".encode()))
            if turn % 7 == 0:
                said.append((1, time + 1.2, f"PING :{dice.randrange(10**6)}\r\n".encode()))
                said.append((0, time + 1.3, b"PONG :irc.example\r\n"))
        found.append([*said, (0, time + 2, b"QUIT :bye\r\n")])
    return captured(found)


def counted(talks: int = 4, rounds: int = 40) -> list[StreamEvent]:
    """Binary messages: a mark, a length, a type, a number that counts up, and something inside."""
    dice = random.Random(2)
    found = []
    for number in range(talks):
        said: list[Said] = []
        for turn in range(rounds):
            kind = dice.choice((1, 2, 3, 7))
            inside = dice.randbytes(dice.randrange(1, 600) if kind != 7 else 2)
            body = struct.pack(">BB", kind, turn) + inside
            message = b"\xc5\x01" + struct.pack(">H", len(body)) + body
            answer = b"\xc5\x01" + struct.pack(">H", 4) + struct.pack(">BBH", kind | 128, turn, 0)
            at = 10.0 * turn + 1000 * number
            said += [(0, at, message[:5]), (0, at + 0.001, message[5:]), (1, at + 1, answer)]
        found.append(said)
    return captured(found)


def forms(talks: int = 40) -> list[StreamEvent]:
    """Forms posted over HTTP, answered with `name: value` lines; now and then a query in a GET."""
    dice = random.Random(3)
    found = []
    for number in range(talks):
        user = dice.choice(NAMES)
        action = ("login", "buy", "list")[number % 3]
        body = {
            "login": f"action=login;user={user};pin={dice.randrange(10**4):04d}",
            "buy": f"action=buy;user={user};item={dice.randrange(900)};price={dice.random():.2f}",
            "list": f"action=list;user={user};from={number}",
        }[action].encode()
        if action == "list":
            asked = b"GET /shop?" + body + b" HTTP/1.1\r\nHost: shop.example\r\n\r\n"
        else:
            asked = b"POST /shop HTTP/1.1\r\nHost: shop.example\r\nContent-Length: %d\r\n\r\n%s" % (
                len(body), body)  # fmt: skip
        answer = f"status=ok;action={action};ticket={dice.randbytes(10).hex()}".encode()
        chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(answer), answer)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        found.append([(0, float(number), asked), (1, number + 0.5, head + chunk)])
    return captured(found)


def noise(talks: int = 6, rounds: int = 40, seed: int = 4) -> list[StreamEvent]:
    """Bytes without any sense."""
    dice = random.Random(seed)
    return captured(
        [(turn % 2, float(turn), dice.randbytes(dice.randrange(1, 300))) for turn in range(rounds)]
        for _ in range(talks)
    )


def prose(talks: int = 4, rounds: int = 40) -> list[StreamEvent]:
    """Lines of text that are no messages of anything."""
    dice = random.Random(5)
    text = "the old man and sea went to a house where nobody had ever been so happy or sad"
    words = text.split()
    return captured(
        [
            (turn % 2, float(turn), (" ".join(dice.sample(words, dice.randrange(3, 12))) + ".\n")
             .encode())
            for turn in range(rounds)
        ]
        for _ in range(talks)
    )  # fmt: skip
