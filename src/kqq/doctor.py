"""`kqq doctor`: all that can keep people out, looked at in order.

What the machine can tell is in `kqq.server.diagnosis`. Here the server is asked, its doors are
tried as phones would come in, and a message goes from one temporary account to another.
"""

import asyncio
import contextlib
import os
import resource
import secrets
import socket
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from kqq import __version__
from kqq.client import Client, Tcp
from kqq.errors import AccountError, CaptchaWanted, KQQError, UnexpectedReply
from kqq.protocol import (
    Line,
    QueryStat2,
    ResponseReader,
    ServerMsg,
    encode,
    http_request,
    show,
)
from kqq.server import Config, Listen, Server, diagnosis
from kqq.server.accounts import add_account, new_proof
from kqq.server.admin import SYSTEM, NoServer
from kqq.server.admin_door import ask
from kqq.server.claim import is_claimed
from kqq.server.database import database_path
from kqq.server.diagnosis import Finding, ok, problem, warning
from kqq.server.friends import make_friends
from kqq.server.handlers.directory import PATH

T = TypeVar("T")
Report = Callable[[Finding], None]
Say = Callable[[str], None]
"""Called with what is looked at now."""
Connect = Callable[[], Awaitable[Client]]

TEXT = "你好，朋友！1+1=2 & 100%"
"""What is said: Chinese, and all the signs that the protocol escapes."""
LOWEST, HIGHEST = 4294960000, 4294967294
"""The numbers of temporary accounts are among these, the highest that there are."""
NICK = "kqq doctor"
_TRIES = 10  # of numbers, until one is free
_TIME = 10.0  # seconds that anything may take to answer
_NOWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses of nobody (RFC 5737, RFC 3849); nothing is ever sent there."""


class _Odd(Exception):
    """Whoever answered does not speak as it should; the words say what it did."""


def examine(config: Config, now: float, report: Report, say: Say) -> None:
    """Look at everything, and report what is found as it is found; `now` is a date in seconds."""
    data, path = config.data, database_path(config.data)
    say("the data folder")
    for finding in diagnosis.folder(data, os.geteuid()):
        report(finding)
    if data.is_dir():
        report(diagnosis.disk(data))
        say("the database")
        for finding in diagnosis.database(path):
            report(finding)
    report(diagnosis.clock(now, diagnosis.newest_date(path)))
    for finding in diagnosis.certificate(config, now):
        report(finding)
    asyncio.run(examine_server(config, report, say))


async def examine_server(config: Config, report: Report, say: Say) -> None:
    """Ask the server, try its doors, send a message."""
    say("the server")
    running = await _find(config, report)
    report(_open_files(config, is_running=running is not None))
    doors, advertise = config.phone_doors, config.advertise
    if running is not None:
        doors = tuple(Listen.parse(door) for door in running["doors"])
        advertise = running["advertise"]
    redirectors = tuple(door for door in config.redirector if door.port)
    for finding in diagnosis.doors(doors, redirectors):
        report(finding)
    for door in (*doors, *redirectors):
        say(f"the door {door}")
        if running is not None:
            report(await _try_door(door, advertise))
        elif not _is_claimed(config.data) and await _is_taken(door):
            todo = "Stop that program, or choose another port in `listen`."
            report(problem("doors", f"another program has the port of {door}", todo))
    for door in map(Listen.parse, running["web"] if running is not None else ()):
        say(f"the door {door}")
        report(await _try_web(door))
    say("a message in Chinese")
    await _send_message(config, doors if running is not None else (), report)


async def _find(config: Config, report: Report) -> dict[str, Any] | None:
    """Return what the running server says of itself, None if there is none that answers."""
    name, data, path = "server", config.data, config.admin_path
    try:
        status = await _ask(config, "status")
    except NoServer:
        if _is_claimed(data):
            todo = "Is `admin_socket` what the server was started with? Else restart the server."
            report(problem(name, f"a server uses {data}, but none answers at {path}", todo))
        else:
            todo = "Start `kqq serve`, then look again: nothing can be said of its doors now."
            report(warning(name, f"no server runs on {data}", todo))
    except TimeoutError:
        todo = "Look into its log, and restart it."
        report(problem(name, f"it gave no answer within {_TIME:g} s", todo))
    except KQQError as error:
        report(problem(name, str(error), "Run this as the user who runs the server."))
    else:
        version, people = status["version"], sum(status["sessions"].values())
        if version == __version__:
            report(ok(name, f"kqq {version} runs; {people} signed in"))
        else:
            words = f"it is kqq {version}, and this command is {__version__}"
            report(warning(name, words, "Restart the server after an upgrade."))
        return dict(status)
    return None


def _is_claimed(data: Path) -> bool:
    try:
        return is_claimed(data)
    except OSError:  # what is wrong with the folder was told before
        return False


def _open_files(config: Config, *, is_running: bool) -> Finding:
    limit = diagnosis.limit_of(config.admin_path) if is_running else None
    whose = "the server"
    if limit is None:
        limit, whose = resource.getrlimit(resource.RLIMIT_NOFILE), "a server started from here"
    return diagnosis.open_files(limit, config.connections_limit, whose)


async def _ask(config: Config, name: str, /, **arguments: Any) -> Any:
    async with asyncio.timeout(_TIME):
        return await ask(config.admin_path, name, arguments, on=config.data.absolute())


# --- doors ---------------------------------------------------------------------------------------


async def _is_taken(door: Listen) -> bool:
    """Return whether somebody has the port of a door, where no server runs."""
    try:
        async with asyncio.timeout(_TIME):
            _, writer = await asyncio.open_connection(_inward(door.host), door.port)
    except OSError:
        return False
    writer.close()
    return True


async def _try_door(door: Listen, advertise: str) -> Finding:
    """Come in by a door as a phone would, at the address that phones are told."""
    host = advertise or _outward(door.host)
    at = Listen(host, door.port, door.scheme)
    try:
        await _speak(at, host)
    except _Odd as odd:
        return problem("doors", f"{at} {odd}", "Is it this server that is reached there?")
    except (socket.gaierror, UnicodeError) as error:
        todo = "Set `advertise` to a name or an address that phones can find."
        return problem("doors", f"the host {host} has no address: {_why(error)}", todo)
    except OSError as error:
        why = _why(error)
    else:
        return ok("doors", f"{at} can be reached, and speaks lines and HTTP")
    if not await _is_own(host) and await _works(replace(at, host=_inward(door.host)), host):
        words = f"{at} cannot be reached from this machine: {why}; the door itself works"
        todo = (
            "Try from elsewhere: many routers let nobody in by their own address from within. "
            f"The router must send port {door.port} to {_outward(door.host)}."
        )
        return warning("doors", words, todo)
    todo = "Does a firewall keep it shut? Is it an address of this machine, or of its router?"
    return problem("doors", f"{at} cannot be reached: {why}", todo)


async def _try_web(door: Listen) -> Finding:
    """Ask a door for browsers what its pages ask first."""
    at = replace(door, host=_inward(door.host))
    head = f"GET /api/hello HTTP/1.1\r\nHost: {at.host}:{at.port}\r\nConnection: close\r\n\r\n"
    try:
        body = await _exchange(at, head.encode(), is_http=True)
    except (_Odd, OSError) as error:
        why = str(error) if isinstance(error, _Odd) else _why(error)
        return problem(
            "doors", f"{at} serves no browser: {why}", "The log of the server says more."
        )
    if b'"needs_captcha"' not in body:
        todo = "Another program has its port; choose another in `listen`."
        return problem("doors", f"{at} answers otherwise than this server would", todo)
    if not door.is_tls and door.host not in {"127.0.0.1", "::1", "localhost"}:
        todo = "Let others come by TLS: docs/browser.md."
        return warning("doors", f"{at} serves browsers, and their passwords can be read", todo)
    return ok("doors", f"{at.url} serves browsers")


async def _works(at: Listen, told: str) -> bool:
    try:
        await _speak(at, told)
    except (_Odd, OSError):
        return False
    return True


async def _speak(at: Listen, told: str) -> None:
    """Ask for the statuses of nobody's friends, in lines and over HTTP; ask where the server is.

    Raises OSError if nobody answers (in time), _Odd if the answers are not those of a server that
    phones are told to find at the host `told`.
    """
    question = encode(QueryStat2(seq="1", uin=SYSTEM)) + b"\r\n"
    _check(await _exchange(at, question, is_http=False), "a line")
    _check(await _exchange(at, http_request(at.host, at.port, question), is_http=True), "a POST")
    if at.is_tls:
        return  # phones are told of no doors with TLS
    host, told = (f"[{one}]" if ":" in one else one for one in (at.host, told))
    head = f"GET {PATH} HTTP/1.1\r\nHost: {host}:{at.port}\r\nConnection: close\r\n\r\n"
    document = await _exchange(at, head.encode(), is_http=True)
    if f"socket://{told}:".encode() not in document:
        raise _Odd(f"tells phones another address: {show(document, 120)}")


def _check(answer: bytes, what: str) -> None:
    values = Line.decode(answer.strip()).values()
    if values.get("CMD", "").upper() != "QUERY_STAT2" or values.get("RES") != "20":
        raise _Odd(f"answers {what} otherwise than this server would: {show(answer, 60)!r}")


async def _exchange(at: Listen, data: bytes, *, is_http: bool) -> bytes:
    """Send something over a connection of its own and return the line, or the body, it brings."""
    async with asyncio.timeout(_TIME):
        reader, writer = await _open(at)
        try:
            writer.write(data)
            if not is_http:
                return await reader.readline()
            answers = ResponseReader()
            while True:
                came = await reader.read(65536)
                for answer in answers.feed(came):
                    return answer.body
                if not came or answers.error is not None:
                    raise _Odd("does not answer over HTTP")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _open(at: Listen) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = None
    if at.is_tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # whether clients trust it is not asked here
        context.verify_mode = ssl.CERT_NONE
    return await asyncio.open_connection(at.host, at.port, ssl=context)


def _inward(host: str) -> str:
    """Return the host by which this machine reaches a door on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def _outward(host: str) -> str:
    """Return the host by which others reach a door on `host`, as far as this machine can tell."""
    families = {"0.0.0.0": socket.AF_INET, "::": socket.AF_INET6}  # noqa: S104
    if host in families:
        family = families[host]
        with socket.socket(family, socket.SOCK_DGRAM) as asking, contextlib.suppress(OSError):
            asking.connect((_NOWHERE[family], 9))  # chooses a way there; sends nothing
            return str(asking.getsockname()[0])
    return _inward(host)


async def _is_own(host: str) -> bool:
    """Return whether all addresses of a host are this machine's."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, 0, type=socket.SOCK_STREAM)
        for family, kind, _, _, address in found:
            with socket.socket(family, kind) as own:
                own.bind(address)
    except OSError:
        return False
    return True


def _why(error: OSError | UnicodeError) -> str:
    if isinstance(error, TimeoutError) and not error.errno:
        return f"no answer within {_TIME:g} s"
    number = error.errno or 0 if isinstance(error, OSError) else 0
    return os.strerror(number) if number > 0 else getattr(error, "strerror", None) or str(error)


# --- a message -----------------------------------------------------------------------------------


async def _send_message(config: Config, doors: Sequence[Listen], report: Report) -> None:
    """Send a message through the running server, or through one of our own if none runs."""
    name, why = "message", "no server runs"
    todo = "The log of the server says more."
    try:
        if doors:
            try:
                seconds = await _through_running(config, doors, report)
            except CaptchaWanted:
                why = "this one shows everybody a picture first"
            else:
                words = "a message in Chinese went from one account to another"
                report(ok(name, f"{words} in {1000 * seconds:.0f} ms"))
                return
        await _through_own(config)
        report(ok(name, f"a message in Chinese went through a server made for it ({why})"))
    except TimeoutError:
        words = f"a message in Chinese did not arrive within {_TIME:g} s"
        report(problem(name, words, todo))
    except (KQQError, OSError) as error:
        report(problem(name, f"a message in Chinese did not get through: {error}", todo))


async def _through_running(config: Config, doors: Sequence[Listen], report: Report) -> float:
    door = min(doors, key=lambda door: door.is_tls)
    at = replace(door, host=_inward(door.host))
    async with _strangers(config, report) as people:
        return await _talk(lambda: _client(at), people)


async def _through_own(config: Config) -> float:
    with tempfile.TemporaryDirectory(prefix="kqq-doctor-") as folder:
        own = replace(
            config,
            data=Path(folder),
            listen=(Listen("127.0.0.1", 0),),
            redirector=(),
            certificate=None,
            key=None,
            metrics=None,
            admin_socket=None,
            captcha="never",
        )
        async with Server(own) as server:
            people = [(10001, secrets.token_hex()), (10002, secrets.token_hex())]
            for uin, password in people:
                add_account(server.store, uin, NICK, password, time.time())
            make_friends(server.store, *(uin for uin, _ in people))
            at = server.listening[0]
            return await _talk(lambda: _client(at), people)


async def _client(at: Listen) -> Client:
    return Client(Tcp(*await _open(at)), timeout=_TIME)


async def _talk(connect: Connect, people: Sequence[tuple[int, str]]) -> float:
    """Have the first of two people, with their passwords, write to the second.

    Returns the seconds it took. Raises KQQError, OSError or TimeoutError if it does not arrive.
    """
    (sender, password), (receiver, other_password) = people
    async with asyncio.timeout(_TIME), await connect() as listening:
        await listening.sign_in(receiver, other_password)
        async with await connect() as saying:
            await saying.sign_in(sender, password)
            began = time.monotonic()
            await saying.send(receiver, TEXT)
            heard = ""
            async for push in listening.events():
                if isinstance(push, ServerMsg) and push.sender == sender:
                    heard = push.text
                    break
            if heard != TEXT:
                raise UnexpectedReply(f"{TEXT!r} was sent, {heard!r} arrived")
            return time.monotonic() - began


@contextlib.asynccontextmanager
async def _strangers(config: Config, report: Report) -> AsyncIterator[list[tuple[int, str]]]:
    """Give two new friends, numbers and passwords; they are gone after the context.

    Their passwords are such as the server makes for devices: they are known to be right without a
    slow check, and are asked for no picture unless everybody is.
    """
    left = [one["uin"] for one in await _ask(config, "account.list", after=LOWEST - 1)
            if one["nick"].startswith(NICK) and one["uin"] <= HIGHEST]  # fmt: skip
    if left:
        words = f"an earlier kqq doctor left accounts: {' '.join(map(str, left))}"
        todo = f"`kqq account delete {left[0]}` deletes one, if no doctor is at work."
        report(warning("message", words, todo))
    nick = f"{NICK} {secrets.token_hex(8)}"  # tells ours from anybody's
    tried: set[int] = set()
    try:
        people = [await _to_its_end(_stranger(config, nick, tried)) for _ in range(2)]
        await _ask(config, "account.friend", uin=people[0][0], other=people[1][0])
        yield people
    finally:
        await _to_its_end(_delete(config, tried, nick, report))


async def _stranger(config: Config, nick: str, tried: set[int]) -> tuple[int, str]:
    """Make an account; every number that may have become one of ours is in `tried`."""
    proof = await asyncio.to_thread(new_proof, secrets.token_hex(), os.urandom)
    for tries_left in reversed(range(_TRIES)):
        uin = LOWEST + secrets.randbelow(HIGHEST - LOWEST + 1)
        tried.add(uin)
        try:
            await _ask(config, "account.add", uin=uin, nick=nick, proof=proof, who_may_add="nobody")
            break
        except AccountError:
            if not tries_left:
                raise
    return uin, (await _ask(config, "device.add", uin=uin, name=NICK))["password"]


async def _delete(config: Config, tried: set[int], nick: str, report: Report) -> None:
    """Delete those accounts that are ours, and say so if that fails."""
    for uin in sorted(tried):
        try:
            with contextlib.suppress(AccountError):  # there is none, so nothing is to be done
                if (await _ask(config, "account.show", uin=uin))["nick"] == nick:
                    await _ask(config, "account.delete", uin=uin)
        except (KQQError, TimeoutError) as error:
            words = f"the temporary account {uin} could not be deleted: {error}"
            report(warning("message", words, f"`kqq account delete {uin}` deletes it."))


async def _to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Do something that is not to be given up half done, also if we are told to stop."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
