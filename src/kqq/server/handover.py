"""What was written to a client and is not known to have reached it.

No client acknowledges a push, but TCP does: what the client's system has acknowledged will be read
unless the client itself dies. Linux tells how many bytes are not acknowledged; elsewhere, and in
memory, what left our own buffer counts as arrived.
"""

import asyncio
import fcntl
import struct
import sys
import termios
from bisect import bisect_right
from operator import itemgetter


class Handover:
    """Counts the bytes written to one connection, and remembers which message ended where."""

    __slots__ = ("_ends", "_socket", "_transport", "_written")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._socket = transport.get_extra_info("socket") if sys.platform == "linux" else None
        self._written = 0
        self._ends: list[tuple[int, int]] = []  # bytes written, id of the last message

    @property
    def is_waiting(self) -> bool:
        """Whether messages were written that may not have arrived."""
        return bool(self._ends)

    def wrote(self, size: int) -> None:
        """Note that `size` more bytes were written."""
        self._written += size

    def handed_over(self, last: int) -> None:
        """Note that what was written until now ends with the message `last`."""
        self._ends.append((self._written, last))

    def arrived(self) -> int | None:
        """Return the id of the last message that arrived since this was last asked."""
        if not self._ends:
            return None
        reached = self._written - self._transport.get_write_buffer_size() - self._unacknowledged()
        count = bisect_right(self._ends, reached, key=itemgetter(0))
        last = self._ends[count - 1][1] if count else None
        del self._ends[:count]
        return last

    @property
    def is_acknowledged(self) -> bool:
        """Whether the client's system has acknowledged all that was written."""
        return not (self._transport.get_write_buffer_size() or self._unacknowledged())

    def forget(self) -> None:
        """Forget the messages; what they were written for is over."""
        self._ends.clear()

    def _unacknowledged(self) -> int:
        if self._socket is None or (file := self._socket.fileno()) < 0:
            return 0
        (size,) = struct.unpack("i", fcntl.ioctl(file, termios.TIOCOUTQ, bytes(4)))
        return int(size)
