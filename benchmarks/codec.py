"""How long reading and writing a message takes, as a ratio to splitting its line into a dict.

    python benchmarks/codec.py [--json]

One message costs a server: the CLTMSG line read into its typed message, its reply written, and the
push to the receiver written. The measure is `dict(p.split('=', 1) for p in line.split('&'))` on the
same line in the same run. The goal is a ratio of 6 or less; exit code 1 says that it was missed.
"""

import argparse
import json
import sys
from collections.abc import Callable
from timeit import repeat

from kqq.protocol import CltMsg, CltMsgReply, Line, Role, ServerMsg, decode, encode

RAW = (
    b"VER=1.4&CON=1&CMD=CLTMSG&SEQ=203&UIN=10001&SID=&XP=C4CA4238A0B92382"
    b"&UN=10016&MG=hello%2c world"
)
GOAL = 6.0


def read() -> CltMsg:
    """Read the line into its message, from bytes."""
    message = decode(Line.decode(RAW), Role.CLIENT)
    assert isinstance(message, CltMsg)
    return message


MESSAGE = read()


def write() -> tuple[bytes, bytes]:
    """Make and write the reply and the push."""
    message = MESSAGE
    reply = CltMsgReply(seq=message.seq, uin=message.uin)
    push = ServerMsg(seq="31", uin=message.to, sender=message.uin, text=message.text)
    return encode(reply), encode(push)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    line = RAW.decode()
    number = 5000

    def fastest(function: Callable[[], object]) -> float:
        return min(repeat(function, number=number, repeat=options.rounds)) / number * 1e6

    measure = fastest(lambda: dict(p.split("=", 1) for p in line.split("&")))
    reading, writing = fastest(read), fastest(write)
    ratio = (reading + writing) / measure
    if options.json:
        print(json.dumps({"dict": measure, "read": reading, "write": writing, "ratio": ratio}))
    else:
        print(f"dict of the line        {measure:6.2f} us")
        print(f"read CLTMSG             {reading:6.2f} us")
        print(f"write reply and push    {writing:6.2f} us")
        print(f"ratio                   {ratio:6.2f}     (goal: {GOAL:g} or less)")
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
