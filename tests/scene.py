"""A server in a process and a crowd of people: what was promised to whom, and whether it came."""

import asyncio
import itertools
import os
import re
import resource
import socket
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from crowd import FIRST, PATIENCE, Lost, Phone, Poster
from kqq.server.accounts import password_md5
from kqq.server.database import Database, database_path, prepare_folder
from kqq.server.devices import add_device
from kqq.server.store import Account, Store
from process import Process, stumble
from stage import MD5, proof

BUSY = ("commands_rate=100000", "commands_burst=100000", "messages_rate=100000",
        "messages_burst=100000", "inbox_limit=10000")  # fmt: skip
"""For a server in which few people write what thousands would."""
GATEWAY = ("connections_per_address=1000",)
"""What an operator sets behind whose gateway many phones have one address."""
_FILES = 6000  # that we may have open at once


class Scene:
    """A server in a process, the people in it, and every phone that was ever used.

    `passwords` has what each sends as the MD5 of a password. `progress` counts answers. A sign-in
    may take `patience` seconds. `under` is as with Process.
    """

    def __init__(
        self,
        data: Path,
        *settings: str,
        patience: float = PATIENCE,
        under: Sequence[str] = (),
    ) -> None:
        self.passwords: dict[int, str] = {}
        self.phones: list[Phone | Poster] = []
        self.progress = 0
        self.patience = patience
        self.number = itertools.count(1).__next__
        """Gives the number of the next message, whoever sends it."""
        self._data = data
        self._settings = settings
        self._under = under
        self._more = asyncio.Event()
        self._is_started = False

    async def __aenter__(self) -> Self:
        """Begin; the server is not started yet."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < _FILES:
            most = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave nothing open."""
        for phone in self.phones:
            if isinstance(phone, Phone):
                phone.close()
        await asyncio.sleep(0)
        if self._is_started:
            self.server.close()

    async def people(self, friends: Sequence[int], crowd: int, *, slow: int = 0) -> None:
        """Make accounts: friends of each other, and a crowd of people from FIRST on.

        All have passwords that the server made for their phones; of the crowd, `slow` have only
        the usual one, which takes long to check.
        """
        uins = [*friends, *range(FIRST, FIRST + crowd)]
        database = Database(prepare_folder(self._data))
        store = Store(database)
        database.execute("BEGIN")
        for uin in uins:
            assert store.add_account(Account(uin, f"n{uin}", 0, proof()), 0.0)
        for one, other in itertools.combinations(friends, 2):
            assert store.add_friends(one, other)
        database.execute("COMMIT")
        quick = uins[: len(uins) - slow]
        words = await asyncio.gather(
            *(add_device(store, uin, "phone", 0.0, os.urandom) for uin in quick)
        )
        self.passwords = dict.fromkeys(uins, MD5)
        for uin, word in zip(quick, words, strict=True):
            self.passwords[uin] = password_md5(word).upper()
        await database.close()

    def befriend(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Store at once that these are friends."""
        database = sqlite3.connect(database_path(self._data))
        with closing(database), database:
            both = [row for one, other in pairs for row in ((one, other), (other, one))]
            database.executemany("INSERT INTO friend VALUES (?, ?)", both)

    def start(self) -> None:
        """Start the server."""
        self.server = Process(self._data, *self._settings, under=self._under)
        self._is_started = True

    def stumble(self, seconds: float) -> None:
        """Start a server and kill it after a time, whether it is ready or not."""
        stumble(self._data, seconds, *self._settings)

    def kill(self) -> None:
        """End the server as `kill -9` does."""
        self.server.kill()

    def accounts(self) -> list[list[tuple[object, ...]]]:
        """Return what is stored of people, friends and devices."""
        return [
            self._rows("SELECT uin, nick, face, proof, suspended FROM account ORDER BY uin"),
            self._rows("SELECT * FROM friend ORDER BY 1, 2"),
            self._rows("SELECT uin, name, proof FROM device ORDER BY uin"),
        ]

    def waiting(self, uin: int) -> int:
        """Return how many messages are stored for somebody."""
        return len(self._rows("SELECT id FROM message WHERE receiver = ?", uin))

    def memory(self) -> int:
        """Return the most MiB that the server has had in memory; Linux tells."""
        status = Path(f"/proc/{self.server.pid}/status").read_text()
        most = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert most is not None
        return int(most[1]) // 1024

    def cpu(self) -> float:
        """Return the seconds of processor time that the server has used."""
        return cpu_of(self.server.pid)

    async def connect(
        self,
        uin: int,
        host: str = "127.0.0.1",
        *,
        receive: int | None = None,
        confirms: bool = False,
    ) -> Phone:
        """Return a connection for somebody. Raises Lost.

        The system takes `receive` bytes, or twice that, from the server until they are read.
        """
        phone = Phone(uin, self._came, confirms=confirms)
        link = socket.socket()
        link.setblocking(False)
        if receive is not None:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        loop = asyncio.get_running_loop()
        try:
            link.bind((host, 0))
            await loop.sock_connect(link, ("127.0.0.1", self.server.port))
            await loop.create_connection(lambda: phone, sock=link)
        except ConnectionError:
            link.close()
            raise Lost from None
        self.phones.append(phone)
        return phone

    async def sign_in(self, uin: int, host: str = "127.0.0.1", *, confirms: bool = False) -> Phone:
        """Return a phone on which somebody is signed in. Raises Lost."""
        phone = await self.connect(uin, host, confirms=confirms)
        await phone.sign_in(self.passwords[uin], self.patience)
        return phone

    async def post_in(self, uin: int, host: str) -> Poster:
        """Return a phone over HTTP with which somebody is signed in. Raises Lost."""
        poster = Poster(uin, self.server.port, host, self._came)
        self.phones.append(poster)
        await poster.sign_in(self.passwords[uin], self.patience)
        return poster

    async def progressed(self, count: int) -> None:
        """Wait until there were so many answers."""
        async with asyncio.timeout(PATIENCE):
            while self.progress < count:
                self._more.clear()
                await self._more.wait()

    def check(self) -> None:
        """Say whether every promise was kept, once all that was promised should have come.

        What was answered RES=0 has come, on one connection or another; what was refused has not;
        and on each connection a sender's messages came in order, none twice.
        """
        for sender, to in self.pairs():
            promised, refused = self.answered(sender, to)
            heard = [phone.texts[sender] for phone in self.phones if phone.uin == to]
            for numbers in heard:
                assert numbers == sorted(set(numbers)), f"{sender} to {to}: {numbers}"
            everything = set(itertools.chain(*heard))
            assert not promised - everything, f"{sender} to {to}: {sorted(promised - everything)}"
            assert not refused & everything, f"{sender} to {to}: {sorted(refused & everything)}"

    def pairs(self) -> set[tuple[int, int]]:
        """Return who has been answered for a message to whom."""
        return {
            (phone.uin, to)
            for phone in self.phones
            for to in phone.promised.keys() | phone.refused.keys()
        }

    def answered(self, sender: int, to: int) -> tuple[set[int], set[int]]:
        """Return the numbers of the messages that were taken, and of those that were refused."""
        theirs = [phone for phone in self.phones if phone.uin == sender]
        promised = itertools.chain(*(phone.promised.get(to, []) for phone in theirs))
        refused = itertools.chain(*(phone.refused.get(to, []) for phone in theirs))
        return set(promised), set(refused)

    def missing(self, sender: int, to: int) -> set[int]:
        """Return the numbers of the messages that were taken and have not come on any phone."""
        came = itertools.chain(*(phone.texts[sender] for phone in self.phones if phone.uin == to))
        return self.answered(sender, to)[0] - set(came)

    async def deliver(self) -> None:
        """Have everybody who was written to sign in once more, and get all there is.

        A last message to each comes after all others of its sender.
        """
        for sender, to in sorted(self.pairs()):
            phone = await self.sign_in(to)
            await phone.hears(sender, self.missing(sender, to))
            other = await self.sign_in(sender)
            last = self.number()
            assert await other.write(to, last)
            await phone.hears(sender, [last])
            for one in (phone, other):
                one.close()

    def _rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(database_path(self._data))) as database:
            return database.execute(sql, values).fetchall()

    def _came(self) -> None:
        self.progress += 1
        self._more.set()


async def chat(scene: Scene, one: Phone, other: Phone, over: asyncio.Event, pace: float) -> None:
    """Have two write to each other until it is over, and hear all they were promised.

    An answer that does not come in time is an error. `pace` is in seconds. Raises Lost.
    """
    while not over.is_set():
        for phone, friend in ((one, other), (other, one)):
            number = scene.number()
            assert await phone.write(friend.uin, number)
            await friend.hears(phone.uin, [number])
        await asyncio.sleep(pace)


def cpu_of(pid: int) -> float:
    """Return the seconds of processor time that a process has used; Linux tells."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
