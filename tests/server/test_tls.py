"""TLS: what comes with the handshake, readers that lag, clients that do not close, wrong files."""

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

import pems
from kqq.errors import ConfigError
from kqq.protocol import Line, ServerMsg, decode
from kqq.protocol.messages import Role
from kqq.server import Server
from kqq.server.tls import context_of
from secured import Certificate, Client, config, make, serving, until
from stage import JULIET, ROMEO, WAIT, ManualClock, request, sign_in_line


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A certificate for the server."""
    return make(tmp_path_factory.mktemp("tls"))


async def test_line_that_comes_with_the_handshake(tmp_path: Path, certificate: Certificate) -> None:
    """What a client sends in one piece with the end of its handshake is answered."""
    async with serving(tmp_path, certificate) as server:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = certificate.trusted().wrap_bio(incoming, outgoing)
        port = server.listening[0].port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(65536))
        tls.write(f"{sign_in_line(ROMEO)}\r\n".encode())
        writer.write(outgoing.read())
        heard = b""
        async with asyncio.timeout(WAIT):
            while b"\r\n" not in heard:
                incoming.write(await reader.read(65536))
                try:
                    heard += tls.read()
                except ssl.SSLWantReadError:
                    continue
        assert b"&RS=0&" in heard
        writer.close()
        await writer.wait_closed()


# --- who does not read, who does not close -------------------------------------------------------


async def deaf_client(
    server: Server, certificate: Certificate
) -> tuple[socket.socket, ssl.SSLSocket]:
    """Return Juliet, signed in over a socket with hardly any room."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", server.listening[0].port))

    def sign_in() -> ssl.SSLSocket:
        tls = certificate.trusted().wrap_socket(raw)
        tls.sendall(f"{sign_in_line(JULIET)}\r\n".encode())
        assert b"&RS=0&" in tls.recv(4096)
        return tls

    return raw, await asyncio.to_thread(sign_in)


def texts(data: bytes) -> list[str]:
    """Return what the messages in whole lines say."""
    lines = data[: data.rfind(b"\n") + 1].split(b"\n")
    messages = [decode(Line.decode(raw), Role.SERVER) for raw in lines if raw]
    return [message.text for message in messages if isinstance(message, ServerMsg)]


async def test_what_is_held_for_a_slow_reader_is_not_taken_for_delivered(
    tmp_path: Path, certificate: Certificate
) -> None:
    """A reader lags and is lost: each message was read, or waits for the next sign-in."""
    sent = [f"{n} {'x' * 12_000}" for n in range(400)]
    async with serving(tmp_path, certificate, messages_burst=1000, commands_burst=1000) as server:
        raw, juliet = await deaf_client(server, certificate)
        romeo = await Client.connect(server, certificate)
        await romeo.say(sign_in_line(ROMEO))
        for seq, text in enumerate(sent):
            await romeo.say(request("CLTMSG", ROMEO, f"UN={JULIET}&MG={text}", seq=seq))
            while f"&SEQ={seq}&UIN=10001&RES=0" not in await romeo.hear():
                pass
        session = server._services.sessions.of(JULIET)
        assert session is not None
        phone = session.wake.__self__  # type: ignore[attr-defined]
        assert phone._is_full
        assert phone._transport.get_write_buffer_size() < 1_000_000

        def read(least: int) -> bytes:
            seen = b""
            while len(seen) < least and (data := juliet.recv(65536)):
                seen += data
            return seen

        juliet.settimeout(WAIT)
        seen = await asyncio.to_thread(read, 500_000)
        await asyncio.sleep(0.2)  # acknowledgements come when they like
        phone._mark_delivered()
        phone.abort()  # what the server itself still holds is lost
        seen += await asyncio.to_thread(read, 2**30)
        await until(server, 1)
        juliet.close()
        raw.close()
        await romeo.close()
        waiting = [one.text for one in server.store.messages_after(JULIET, 0, 1000)]
    deleted = sent[: len(sent) - len(waiting)]
    assert waiting == sent[len(deleted) :]
    assert deleted
    assert deleted == texts(seen)[: len(deleted)]


async def test_slow_reader_over_tls_gets_all(tmp_path: Path, certificate: Certificate) -> None:
    """Who reads again in time gets everything, in order."""
    async with serving(tmp_path, certificate, messages_burst=1000, commands_burst=1000) as server:
        raw, juliet = await deaf_client(server, certificate)
        romeo = await Client.connect(server, certificate)
        await romeo.say(sign_in_line(ROMEO))
        sent = [f"{n} {'x' * 12_000}" for n in range(300)]
        await romeo.say(
            *(request("CLTMSG", ROMEO, f"UN={JULIET}&MG={text}", seq=1) for text in sent)
        )
        while server.store.count_messages(JULIET, 1000) < 250:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

        def read_all() -> list[str]:
            juliet.settimeout(WAIT)
            seen = b""
            while seen.count(b"&MG=") < len(sent) or not seen.endswith(b"\n"):
                seen += juliet.recv(65536)
            return texts(seen)

        assert await asyncio.to_thread(read_all) == sent
        juliet.close()
        raw.close()
        await romeo.close()


async def test_client_that_does_not_close(tmp_path: Path, certificate: Certificate) -> None:
    """Who never says that it closes is cut off when the server stops, two seconds later."""
    clock = ManualClock()
    async with serving(tmp_path, certificate, clock) as server:
        raw, juliet = await deaf_client(server, certificate)
        stops = asyncio.create_task(server.close())
        await asyncio.sleep(0.05)
        for guest in server._guests:
            guest.close("once more")
        assert not stops.done()
        clock.advance(2)
        async with asyncio.timeout(WAIT):
            await stops
        juliet.close()
        raw.close()


async def test_a_transport_may_be_closed_twice(tmp_path: Path, certificate: Certificate) -> None:
    """As with one for a socket the second time does nothing; only one side cannot be closed."""
    async with serving(tmp_path, certificate) as server:
        romeo = await Client.connect(server, certificate)
        await romeo.say(sign_in_line(ROMEO))
        assert "&RS=0&" in await romeo.hear()
        session = server._services.sessions.of(ROMEO)
        assert session is not None
        transport = session.wake.__self__._transport  # type: ignore[attr-defined]
        assert not transport.can_write_eof()
        for _ in range(3):
            transport.close()
        assert transport.is_closing()
        assert transport.get_extra_info("ssl_object") is not None
        assert await romeo.hear() == ""
        await until(server, 0)
        await romeo.close()


# --- wrong files ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (None, "No such file"),
        ("garbage", "PEM"),
        (pems.NEW, "PEM"),
        (pems.OTHER_KEY, "mismatch"),
        (pems.LOCKED_KEY, "the key has a password"),
    ],
    ids=["missing", "garbage", "a certificate", "another's", "locked"],
)
async def test_files_that_cannot_be_used(tmp_path: Path, key: str | None, why: str) -> None:
    """A certificate or key that is none is told in one line; nothing is left open."""
    files = make(tmp_path, key=key or "")
    if key is None:
        files.key.unlink()
    settings = config(tmp_path, files)
    with pytest.raises(ConfigError, match="take PEM files, the key without a password") as caught:
        await Server(settings).start()
    words = str(caught.value)
    assert "\n" not in words
    assert why in words
    assert f"certificate={files.certificate} with key={files.key}" in words
    with pytest.raises(ConfigError):
        context_of(settings)
