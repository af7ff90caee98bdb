"""What Python can do at most: a server that only takes lines apart and hands them on.

    python -m benchmarks.comparing.relay

It says `listening kqq://127.0.0.1:PORT` and `ready`. It knows no passwords, no friends and no disk:
whoever says Login is in, a message is answered and handed on, a status is told to everybody, and
anything else is answered. All that is for one connection in a turn of the loop is written at once.
"""

import asyncio
import gc
import sys
from typing import ClassVar, cast


class Phone(asyncio.Protocol):
    """One connection."""

    everybody: ClassVar[dict[bytes, "Phone"]] = {}
    unwritten: ClassVar[list["Phone"]] = []
    pushes: ClassVar[int] = 0
    loop: ClassVar[asyncio.AbstractEventLoop]

    __slots__ = ("_out", "_rest", "_transport", "_uin")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast(asyncio.Transport, transport)
        self._rest = b""
        self._uin = b""
        self._out: list[bytes] = []

    def connection_lost(self, _exc: Exception | None) -> None:
        """Forget who this was."""
        if Phone.everybody.get(self._uin) is self:
            del Phone.everybody[self._uin]

    def data_received(self, data: bytes) -> None:
        """Serve all lines that are whole."""
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for line in lines:
            self._serve(dict([part.split(b"=", 1) for part in line.split(b"&")]))

    def _serve(self, fields: dict[bytes, bytes]) -> None:
        command, seq, uin = fields[b"CMD"], fields[b"SEQ"], fields[b"UIN"]
        if command == b"CLTMSG":
            to = fields[b"UN"]
            receiver = Phone.everybody.get(to)
            self.say(b"VER=1.1&CMD=CLTMSG&SEQ=%b&UIN=%b&RES=%d\r\n" % (seq, uin, receiver is None))
            if receiver is not None:
                Phone.pushes += 1
                receiver.say(
                    b"VER=1.1&CMD=Server_Msg&SEQ=%d&UIN=%b&RES=0&MN=1&MT=9&UN=%b&MG=%b\r\n"
                    % (Phone.pushes, to, uin, fields[b"MG"])
                )
        elif command == b"Login":
            self._uin = uin
            Phone.everybody[uin] = self
            self.say(b"VER=1.1&CMD=Login&SEQ=%b&UIN=%b&RES=0&RS=0\r\n" % (seq, uin))
        else:
            self.say(b"VER=1.1&CMD=%b&SEQ=%b&UIN=%b&RES=0\r\n" % (command.upper(), seq, uin))
            if command == b"Change_Stat":
                self._tell_everybody(uin, fields[b"ST"])

    def _tell_everybody(self, uin: bytes, status: bytes) -> None:
        for to, friend in Phone.everybody.items():
            if friend is not self:
                Phone.pushes += 1
                friend.say(
                    b"VER=1.1&CMD=update_stat&SEQ=%d&UIN=%b&RES=0&ST=%b&UN=%b\r\n"
                    % (Phone.pushes, to, status, uin)
                )

    def say(self, line: bytes) -> None:
        """Have a line be written at the end of this turn of the loop."""
        if not self._out:
            if not Phone.unwritten:
                Phone.loop.call_soon(self._write_all)
            Phone.unwritten.append(self)
        self._out.append(line)

    def write(self) -> None:
        """Write what was said in this turn."""
        self._transport.write(b"".join(self._out))
        self._out.clear()

    @staticmethod
    def _write_all() -> None:
        for phone in Phone.unwritten:
            phone.write()
        Phone.unwritten.clear()


async def serve() -> None:
    """Serve until this process is ended."""
    Phone.loop = asyncio.get_running_loop()
    server = await Phone.loop.create_server(Phone, "127.0.0.1", 0, backlog=4096)
    print(f"listening kqq://127.0.0.1:{server.sockets[0].getsockname()[1]}\nready", flush=True)
    gc.freeze()
    await server.serve_forever()


def main() -> int:
    try:
        import uvloop  # noqa: PLC0415  # without it nothing else of this program is needed
    except ImportError:
        print("relay: uvloop is missing; pip install uvloop", file=sys.stderr)
        return 1
    uvloop.install()
    asyncio.run(serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
