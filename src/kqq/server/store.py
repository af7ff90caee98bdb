"""Every SQL statement of the server, and the rows they give."""

import asyncio
from dataclasses import dataclass

from kqq.server.database import Database


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can sign in. `proof` is how the password is checked; it is never shown."""

    uin: int
    nick: str
    face: int
    proof: str

    def __repr__(self) -> str:
        return f"Account(uin={self.uin}, nick={self.nick!r}, face={self.face})"


@dataclass(frozen=True, slots=True)
class Stored:
    """A message that waits."""

    id: int
    sender: int
    text: str


class Store:
    """The server's tables."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def account(self, uin: int) -> Account | None:
        """Return the account with this number."""
        rows = self._database.fetch("SELECT uin, nick, face, proof FROM account WHERE uin = ?", uin)
        return Account(*rows[0]) if rows else None  # type: ignore[arg-type]

    def accounts(self) -> list[Account]:
        """Return all accounts, by number."""
        rows = self._database.fetch("SELECT uin, nick, face, proof FROM account ORDER BY uin")
        return [Account(*row) for row in rows]  # type: ignore[arg-type]

    def account_exists(self, uin: int) -> bool:
        """Return whether there is an account with this number."""
        return bool(self._database.fetch("SELECT 1 FROM account WHERE uin = ?", uin))

    def add_account(self, account: Account, created: float) -> bool:
        """Store a new account at once; return False if the number is taken."""
        return bool(
            self._database.execute(
                "INSERT INTO account (uin, nick, face, proof, created) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                account.uin,
                account.nick,
                account.face,
                account.proof,
                created,
            )
        )

    def add_friends(self, one: int, other: int) -> bool:
        """Store at once that these two are friends; return False if they were."""
        return bool(
            self._database.execute(
                "INSERT INTO friend (uin, other) VALUES (?, ?), (?, ?) ON CONFLICT DO NOTHING",
                one,
                other,
                other,
                one,
            )
        )

    def are_friends(self, one: int, other: int) -> bool:
        """Return whether these two are friends."""
        return bool(
            self._database.fetch("SELECT 1 FROM friend WHERE uin = ? AND other = ?", one, other)
        )

    def friends(self, uin: int) -> list[int]:
        """Return the numbers of all friends."""
        rows = self._database.fetch("SELECT other FROM friend WHERE uin = ?", uin)
        return [int(row[0]) for row in rows]  # type: ignore[arg-type]

    def friends_page(self, uin: int, offset: int, most: int) -> list[tuple[int, str, int]]:
        """Return (number, nick, face) of at most `most` friends in order, after `offset` others."""
        return self._database.fetch(  # type: ignore[return-value]
            "SELECT account.uin, nick, face FROM friend JOIN account ON account.uin = other"
            " WHERE friend.uin = ? ORDER BY other LIMIT ? OFFSET ?",
            uin,
            most,
            offset,
        )

    def friends_after(self, uin: int, number: int, most: int) -> list[int]:
        """Return the numbers of at most `most` friends in order, those above `number`."""
        rows = self._database.fetch(
            "SELECT other FROM friend WHERE uin = ? AND other > ? ORDER BY other LIMIT ?",
            uin,
            number,
            most,
        )
        return [int(row[0]) for row in rows]  # type: ignore[arg-type]

    def add_message(
        self, sender: int, receiver: int, text: str, sent: float
    ) -> asyncio.Future[None]:
        """Store a message; it is on disk when the future is done."""
        return self._database.write(
            "INSERT INTO message (receiver, sender, text, sent) VALUES (?, ?, ?, ?)",
            receiver,
            sender,
            text.encode("utf-8", "surrogateescape"),
            sent,
        )

    def messages_after(self, receiver: int, id: int, most: int) -> list[Stored]:  # noqa: A002
        """Return at most `most` messages that wait, oldest first, those with higher ids."""
        rows = self._database.fetch(
            "SELECT id, sender, text FROM message WHERE receiver = ? AND id > ?"
            " ORDER BY id LIMIT ?",
            receiver,
            id,
            most,
        )
        return [
            Stored(number, sender, text.decode("utf-8", "surrogateescape"))  # type: ignore[arg-type, union-attr]
            for number, sender, text in rows
        ]

    def count_messages(self, receiver: int, most: int) -> int:
        """Return how many messages wait, counted up to `most`."""
        rows = self._database.fetch(
            "SELECT count(*) FROM (SELECT 1 FROM message WHERE receiver = ? LIMIT ?)",
            receiver,
            most,
        )
        return int(rows[0][0])  # type: ignore[arg-type]

    def delete_messages(self, receiver: int, last: int) -> asyncio.Future[None]:
        """Delete what was delivered: all up to the id `last`."""
        return self._database.write(
            "DELETE FROM message WHERE receiver = ? AND id <= ?", receiver, last
        )
