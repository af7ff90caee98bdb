"""A connection that breaks after so many bytes, to try what a client makes of that."""

import asyncio

from kqq.testing.memory import MemoryLink


class Cutting:
    """A `kqq.client.Transport` over a link in memory that is cut within what it carries.

    It breaks for both ends once `after_sent` bytes went, or `after_received` bytes came; None is
    never. Up to there all bytes really go and come. What is beyond stays in the server's buffer, so
    to the server it has not arrived. What was taken from the server before the cut can still be
    received; then `receive` raises ConnectionLost, and so does every `send` after the one that was
    cut. `sent` and `received` count the bytes so far.

    If the link has to `swallow` bytes, it is cut when the first comes after `after_received`. Of
    those that have come by then at most so many have arrived, to the server, and are lost: a
    system, or a proxy, had acknowledged them, and the client did not read them any more.
    """

    pushes = True

    def __init__(
        self,
        link: MemoryLink,
        *,
        after_sent: int | None = None,
        after_received: int | None = None,
    ) -> None:
        self.sent = 0
        self.received = 0
        self.is_cut = False
        self._link = link
        self._last_sent: int | None = None
        self._last_received: int | None = None
        self._is_swallowing = False
        self.cut_after(sent=after_sent, received=after_received)

    async def send(self, data: bytes) -> None:
        """Send `data`, or as much of it as may go."""
        if self._last_sent is not None and not self.is_cut:
            data = data[: self._last_sent - self.sent]
        await self._link.send(data)
        self.sent += len(data)
        self._cut_if_due()

    async def receive(self) -> bytes:
        """Return what came."""
        while data := await self._link.receive():
            data = self._not_swallowed(data)
            self.received += len(data)
            self._cut_if_due()
            if data:
                break
        return data

    async def close(self) -> None:
        """Close the connection."""
        if self._is_swallowing:
            self.cut()
        await self._link.close()

    def cut(self) -> None:
        """Break the connection now."""
        self.is_cut = True
        self._link.cut()

    def cut_after(self, *, sent: int | None = None, received: int | None = None) -> None:
        """Break it once so many more bytes went or came, whatever was said of that before.

        What has come and was not received yet does not count.
        """
        self._last_sent = None if sent is None else self.sent + sent
        self._last_received = None
        if received is not None:
            self._last_received = self.received + self._link.waiting + received
        self._link.room = None if received is None else received + self._link.swallow
        self._cut_if_due()

    @property
    def left(self) -> tuple[int | None, int | None]:
        """How many more bytes may go and come; None is any number, and after the cut, too."""
        if self.is_cut:
            return None, None
        sent, received = self._last_sent, self._last_received
        return (
            None if sent is None else sent - self.sent,
            None if received is None else received - self.received,
        )

    def _not_swallowed(self, data: bytes) -> bytes:
        if self._last_received is None or not self._link.swallow:
            return data
        rest = data[: self._last_received - self.received]
        if len(rest) < len(data) and not self._is_swallowing:
            self._is_swallowing = True
            # By then the server has seen that what it just wrote has arrived.
            asyncio.get_running_loop().call_soon(self.cut)
        return rest

    def _cut_if_due(self) -> None:
        sent, received = self.left
        if sent == 0 or (received == 0 and not self._link.swallow):
            self.cut()
