"""What somebody said and heard, in a SQLite file of their own: written at once, found again later.

    with History.open() as history:
        diary = history.diary(10001, "tcp://192.0.2.7:14000")
        diary.add(message)
        for found in diary.search("dumplings"):
            ...

Calls come from the event loop directly: one that reads or writes a message takes well under a
millisecond, hardly more than handing it to a thread would. What goes through all there is
(`search`, `count`, `forget`) takes seconds for a million messages; do that on a thread, with a
`History` opened there.

Several programs may use one file at once. A message is in it when `add` returns
(`synchronous=NORMAL`): it outlives a program that dies. If the power fails the last half minute may
be missing; to wait for the disk each time would hold up the chat for something that is hardly worth
it: one's own words are with the server, and those of others were shown.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from kqq.client.events import Fate, Message
from kqq.client.finding import folded, has_all
from kqq.client.history_file import HistoryFile, default_path, storable

__all__ = ["Diary", "History", "Waiting", "default_path", "new_key"]

_PIECE = 1_000  # rows that are read at a time
_PIECE_GONE = 20_000  # rows that are deleted at a time; others who write wait for 0.2 s
_NAMED = 100  # signs of a nickname that are kept; what a server names may be of any length
_FATES = {fate.value: fate for fate in Fate}
_REMEMBERED = 7 * 24 * 3600.0
"""Seconds in which a message with the same mark and text is the same one. A server whose data was
replaced begins to count anew."""
_ME = "(SELECT id FROM account WHERE uin = :me AND server = :server)"
_SEEN = (
    f"SELECT 1 FROM message WHERE account = {_ME} AND uin = :uin AND mark = :mark"  # noqa: S608
    " AND mark <> '' AND fate = 'received' AND text = CAST(:text AS TEXT)"
    f" AND at > :at - {_REMEMBERED}"
)
_MESSAGES = "SELECT key, uin, text, at, fate, why FROM message"


class Waiting(NamedTuple):
    """One's own message that the server has not taken yet.

    `mark` is the SEQ of its line. `tried` is when that line first went out, None if it never did:
    a server remembers for a while which lines it has answered, and only for so long may the same
    line go out again.
    """

    message: Message
    mark: str
    tried: float | None


def new_key(random: Callable[[int], bytes] = os.urandom) -> str:
    """Return a key for a message, which no other program and no later run will choose."""
    return random(8).hex()


class History:
    """The histories of all accounts of a person, in one file that only they can read.

    Methods here and of `Diary` raise StoreError, and nothing else, if the file cannot be used: the
    disk is full, somebody else has held it for two seconds, it is damaged. A chat can go on without
    it. Passwords never go in.
    """

    def __init__(self, file: HistoryFile) -> None:
        """Use `open` instead."""
        self._file = file

    @classmethod
    def open(cls, path: Path | None = None) -> Self:
        """Open the file, which is made if it is not there; so is its folder.

        None is `default_path()`. Raises StoreError if it cannot be used, is no history, or one of a
        newer kqq.
        """
        return cls(HistoryFile.open(path or default_path()))

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._file.path

    def close(self) -> None:
        """Close the file; what was opened from here can no longer be used."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def diary(self, uin: int, server: str) -> "Diary":
        """Return the history of one account.

        A number on two servers is two people. Of `server`, an address, host and port count: TCP and
        HTTP may share a port. Where a server has several, always name the same. Nothing is written
        yet.
        """
        return Diary(self._file, uin, server.partition("://")[2].rstrip("/").lower() or server)

    def diaries(self) -> list["Diary"]:
        """Return the accounts that have said or heard something, or know names."""
        rows = self._file.fetch("SELECT uin, server FROM account ORDER BY id")
        return [Diary(self._file, self._file.number(uin), server) for uin, server in rows]


class Diary:
    """What one account on one server said and heard; `History.diary` gives one.

    Order is that in which messages were added, whatever the clock said.
    """

    def __init__(self, file: HistoryFile, uin: int, server: str) -> None:
        """Use `History.diary` instead."""
        self.uin = uin
        self.server = server
        self._file = file

    # --- one's own account, while it is signed in

    def add(self, message: Message, *, mark: str = "") -> bool:
        """Keep a message and return True; it is committed then.

        `mark` is the SEQ of its line, "" for none. A message that came is unread. Returns False,
        and keeps nothing, if there is one with this key, or if the same person has said the same
        with the same mark: the server has repeated itself.
        """
        is_own = message.is_own
        values = {**self._who(message.uin), **_written(message)}
        with self._file.transaction():
            self._run(
                "INSERT INTO account (uin, server) VALUES (:me, :server) ON CONFLICT DO NOTHING"
            )
            return bool(
                self._file.write(
                    "INSERT INTO message"
                    " (account, key, uin, text, at, fate, why, mark, is_unread)"
                    f" SELECT {_ME}, :key, :uin, CAST(:text AS TEXT), :at, :fate,"
                    " CAST(:why AS TEXT), :mark, :is_unread"
                    f" WHERE :is_own OR NOT EXISTS ({_SEEN}) ON CONFLICT DO NOTHING",
                    **values,
                    mark=mark,
                    is_own=is_own,
                    is_unread=not is_own,
                )
            )

    def change(self, message: Message) -> None:
        """Keep the new fate, reason and time of one's own message; the key tells which.

        What was sent stays so, since another program may have sent it. A message that was forgotten
        stays forgotten.
        """
        self._run(
            "UPDATE message SET fate = :fate, why = CAST(:why AS TEXT), at = :at"  # noqa: S608
            f" WHERE account = {_ME} AND key = :key AND fate NOT IN ('received', 'sent')",
            **_written(message),
        )

    def waiting(self) -> list[Waiting]:
        """Return one's own messages that the server has not taken yet, oldest first."""
        rows = self._run(
            "SELECT key, uin, text, at, fate, why, mark, tried FROM message"  # noqa: S608
            f" WHERE account = {_ME} AND fate = 'waiting' ORDER BY id"
        )
        return [Waiting(self._read(row[:6]), row[6], row[7]) for row in rows]

    def attempt(self, key: str, at: float) -> bool:
        """Note, the first time, that the line of a message goes out, and return True.

        Returns False if the message does not wait: another program has sent it, or it was
        forgotten. It must not be sent then.
        """
        return bool(
            self._file.write(
                "UPDATE message SET tried = coalesce(tried, :at)"  # noqa: S608
                f" WHERE account = {_ME} AND key = :key AND fate = 'waiting'",
                **self._who(),
                key=key,
                at=at,
            )
        )

    def unread(self) -> dict[int, int]:
        """Return how many messages have not been read, by person; only those who have any."""
        rows = self._run(
            "SELECT uin, COUNT(*) FROM message"  # noqa: S608
            f" WHERE account = {_ME} AND is_unread GROUP BY uin"
        )
        return {self._file.number(uin): count for uin, count in rows}

    def read(self, uin: int) -> None:
        """Note that all that this person said has been read."""
        self._run(
            "UPDATE message SET is_unread = 0"  # noqa: S608
            f" WHERE account = {_ME} AND uin = :uin AND is_unread",
            **self._who(uin),
        )

    def names(self) -> dict[int, str]:
        """Return the nicknames last known, by number."""
        rows = self._run(f"SELECT uin, nick FROM person WHERE account = {_ME}")  # noqa: S608
        return {self._file.number(uin): nick for uin, nick in rows}

    def remember_names(self, names: Mapping[int, str]) -> None:
        """Keep the nicknames of people; nobody else's is forgotten, and "" is no nickname."""
        cut = {uin: nick[:_NAMED] for uin, nick in names.items() if nick}
        known = self.names()
        news = {uin: nick for uin, nick in cut.items() if known.get(uin) != nick}
        if not news:
            return
        with self._file.transaction():
            self._run(
                "INSERT INTO account (uin, server) VALUES (:me, :server) ON CONFLICT DO NOTHING"
            )
            for uin, nick in news.items():
                self._run(
                    "INSERT INTO person (account, uin, nick)"  # noqa: S608
                    f" VALUES ({_ME}, :uin, CAST(:nick AS TEXT))"
                    " ON CONFLICT DO UPDATE SET nick = excluded.nick",
                    **self._who(uin),
                    nick=storable(nick),
                )

    # --- looking back

    def message(self, key: str) -> Message | None:
        """Return the message with this key, None if there is none."""
        rows = self._run(f"{_MESSAGES} WHERE account = {_ME} AND key = :key", key=key)
        return self._read(rows[0]) if rows else None

    def recent(
        self, uin: int | None = None, *, most: int = 200, before: str | None = None
    ) -> list[Message]:
        """Return the latest messages, oldest first: with one person or with all.

        `before` is the key of a message; only earlier ones are returned.
        """
        which = "" if uin is None else " AND uin = :uin"
        if before is not None:
            which += f" AND id < (SELECT id FROM message WHERE account = {_ME} AND key = :before)"  # noqa: S608
        rows = self._run(
            f"{_MESSAGES} WHERE account = {_ME}{which} ORDER BY id DESC LIMIT :most",
            **self._who(uin),
            before=before,
            most=most,
        )
        return [self._read(row) for row in reversed(rows)]

    def search(
        self,
        *words: str,
        uin: int | None = None,
        since: float | None = None,
        until: float | None = None,
        most: int | None = None,
    ) -> Iterator[Message]:
        """Give the messages in which each of `words` is (without words: all), oldest first.

        Upper and lower case are one, so are signs of full and half width; what is part of a word
        is found, too. With `most` these are the last so many. `since` belongs to the time, `until`
        does not. Messages are read piece by piece, never all at once, unless `most` is large.
        """
        found = self._found(words, uin, since, until, backwards=most is not None)
        if most is None:
            yield from found
        else:
            yield from reversed(list(islice(found, most)))

    def count(
        self,
        *words: str,
        uin: int | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> dict[int, int]:
        """Return how many messages `search` would give, by person, who spoke last first."""
        if words:
            found = self._found(words, uin, since, until, backwards=True)
            return dict(Counter(message.uin for message in found))
        rows = self._run(
            f"SELECT uin, COUNT(*) FROM message WHERE account = {_ME}{_which(uin, since, until)}"  # noqa: S608
            " GROUP BY uin ORDER BY MAX(id) DESC",
            **self._who(uin),
            since=since,
            until=until,
        )
        return {self._file.number(uin): count for uin, count in rows}

    def forget(
        self, uin: int | None = None, *, since: float | None = None, until: float | None = None
    ) -> int:
        """Delete messages and return how many; without limits the account, names and all.

        Their text is overwritten in the file, as soon as no other program reads it.
        """
        which = _which(uin, since, until)
        gone = 0
        while True:
            count = self._file.write(
                "DELETE FROM message WHERE id IN"  # noqa: S608
                f" (SELECT id FROM message WHERE account = {_ME}{which}"
                f" ORDER BY id DESC LIMIT {_PIECE_GONE})",  # from the end less has to be moved
                **self._who(uin),
                since=since,
                until=until,
            )
            gone += count
            if count < _PIECE_GONE:
                break
        if since is None and until is None:
            self._forget_names(uin)
        self._file.fetch("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    def _forget_names(self, uin: int | None) -> None:
        whose = "" if uin is None else " AND uin = :uin"
        with self._file.transaction():
            self._run(f"DELETE FROM person WHERE account = {_ME}{whose}", **self._who(uin))  # noqa: S608
            self._run(
                f"DELETE FROM account WHERE id = {_ME}"  # noqa: S608
                f" AND NOT EXISTS (SELECT 1 FROM message WHERE account = {_ME})"
                f" AND NOT EXISTS (SELECT 1 FROM person WHERE account = {_ME})"
            )

    def _found(
        self,
        words: tuple[str, ...],
        uin: int | None,
        since: float | None,
        until: float | None,
        *,
        backwards: bool,
    ) -> Iterator[Message]:
        """Give what `search` finds, in pieces, since a statement left open would hold others up."""
        wanted = [folded(word) for word in words]
        which = _which(uin, since, until)
        order = "id < :last" if backwards else "id > :last"
        direction = "DESC" if backwards else "ASC"
        last = 2**63 - 1 if backwards else 0
        while True:
            rows = self._run(
                "SELECT key, uin, text, at, fate, why, id FROM message"  # noqa: S608
                f" WHERE account = {_ME}{which} AND {order} ORDER BY id {direction} LIMIT {_PIECE}",
                **self._who(uin),
                since=since,
                until=until,
                last=last,
            )
            for row in rows:
                if not wanted or has_all(row[2], wanted):
                    yield self._read(row[:6])
            if len(rows) < _PIECE:
                return
            last = rows[-1][6]

    def _read(self, row: tuple[Any, ...]) -> Message:
        key, uin, text, at, fate, why = row
        if fate not in _FATES:
            raise self._file.damaged(f"the fate {fate!r}")
        return Message(key, self._file.number(uin), text, at, _FATES[fate], why)

    def _run(self, sql: str, **values: object) -> list[Any]:
        return self._file.fetch(sql, **{**self._who(), **values})

    def _who(self, uin: int | None = None) -> dict[str, object]:
        """Return the values that say whose history it is, and about whom."""
        return {"me": str(self.uin), "server": self.server, "uin": str(uin)}


def _which(uin: int | None, since: float | None, until: float | None) -> str:
    """Return the conditions that are asked for, as SQL."""
    which = "" if uin is None else " AND uin = :uin"
    which += "" if since is None else " AND at >= :since"
    return which + ("" if until is None else " AND at < :until")


def _written(message: Message) -> dict[str, object]:
    return {
        "key": message.key,
        "uin": str(message.uin),
        "text": storable(message.text),
        "at": message.at,
        "fate": message.fate.value,
        "why": storable(message.why),
    }
