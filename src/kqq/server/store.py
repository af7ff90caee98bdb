"""Every SQL statement about people and messages, and the rows they give.

What changes something returns what is done when it is on disk, and gives how many rows changed.
Statements that are written in one turn of the event loop are one transaction.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from kqq.server.database import Database
from kqq.server.transaction import Row, Table, Written

_ACCOUNT = "uin, nick, face, proof, who_may_add, who_may_write, suspended, last_seen"
_ADD_ACCOUNT = (
    "INSERT INTO account (uin, nick, face, proof, who_may_add, who_may_write, suspended, created)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_REGISTER_ACCOUNT = (
    "INSERT INTO account (uin, nick, face, proof, who_may_add, who_may_write, suspended, created)"
    " SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE EXISTS"
    " (SELECT 1 FROM invitation WHERE proof = ? AND uses > 0 AND expires > ?)"
    " ON CONFLICT DO NOTHING"
)
_SURE = 1.0
"""Seconds after a look at what others have written in which none is needed."""
MOST_RECEIVERS = 512
"""Of how many people the messages that arrived are deleted by one statement."""
_NOBODY = (0, 0)
_PAIRS = 65_536
"""Pairs of people of whom it is remembered that they are friends; they take some MB."""
_ADD_FRIENDS = "INSERT INTO friend (uin, other) VALUES (?, ?), (?, ?) ON CONFLICT DO NOTHING"
SETTABLE = ("nick", "face", "proof", "who_may_add", "who_may_write", "suspended", "last_seen")
"""Columns of an account that can be changed."""


class Kind(Enum):
    """What waits in an inbox."""

    MESSAGE = "message"
    REQUEST = "request"  # somebody asks to be a friend
    ACCEPTED = "accepted"  # somebody became a friend
    REFUSED = "refused"  # somebody does not want to be a friend


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who can sign in. `proof` is how the password is checked; it is never shown.

    `who_may_add` is `anyone`, `ask` or `nobody`, `who_may_write` `friends` or `anyone`;
    `suspended` says why the account is, None if it is not; `last_seen` is a date in seconds.
    """

    uin: int
    nick: str
    face: int
    proof: str
    who_may_add: str = "ask"
    who_may_write: str = "friends"
    suspended: str | None = None
    last_seen: float | None = None

    def __repr__(self) -> str:
        return f"Account(uin={self.uin}, nick={self.nick!r}, face={self.face})"


class Stored(NamedTuple):
    """A message, or a notice about friends, that waits."""

    id: int
    sender: int
    text: str
    kind: Kind = Kind.MESSAGE


class NewMessage(Written):
    """A message or notice that is being stored; its number is its id."""

    __slots__ = ("kind", "receiver", "sender", "text")

    def __init__(  # noqa: PLR0917
        self,
        table: "Table[NewMessage]",
        row: Row,
        receiver: int,
        sender: int,
        text: str,
        kind: Kind,
    ) -> None:
        # As Written does it: there is one for each message, and one call more is a third of it.
        self.what = table
        self.values = row
        self.is_done = False
        self.number = 0
        self.error = None
        self.callbacks = None
        self.receiver = receiver
        self.sender = sender
        self.text = text
        self.kind = kind

    def let_go(self) -> None:
        """Forget the text, which is on disk, or was not stored."""
        self.values = ()
        self.text = ""


@dataclass(frozen=True, slots=True)
class Device:
    """A password made for one phone; dates in seconds. `proof` is never shown."""

    uin: int
    name: str
    proof: str
    created: float
    last_seen: float | None = None

    def __repr__(self) -> str:
        return f"Device(uin={self.uin}, name={self.name!r})"


@dataclass(frozen=True, slots=True)
class Invitation:
    """A code that lets `uses` more people make an account until the date `expires`."""

    proof: str
    note: str
    created: float
    expires: float
    uses: int

    def __repr__(self) -> str:
        return f"Invitation(note={self.note!r}, uses={self.uses})"


class Store:
    """The server's tables."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._messages: Table[NewMessage] = database.table(
            "message", "receiver", "sender", "kind", "text", "sent"
        )
        # Asked for with each message. What is on disk is the truth, so all are forgotten when
        # friends part there; others who write there are seen with the next transaction.
        self._friends: set[tuple[int, int]] = set()
        database.on_foreign_write(self._friends.clear)

    def on_foreign_write(self, call: Callable[[], None]) -> None:
        """Have `call` called when something else than this has written into the database."""
        self._database.on_foreign_write(call)

    # --- accounts

    def account(self, uin: int) -> Account | None:
        """Return the account with this number."""
        rows = self._database.fetch(f"SELECT {_ACCOUNT} FROM account WHERE uin = ?", uin)  # noqa: S608
        return Account(*rows[0]) if rows else None  # type: ignore[arg-type]

    def account_created(self, uin: int) -> float | None:
        """Return the date when an account was made, None if there is none with this number."""
        rows = self._database.fetch("SELECT created FROM account WHERE uin = ?", uin)
        return rows[0][0] if rows else None  # type: ignore[return-value]

    def accounts(self, after: int = 0, most: int = -1) -> list[Account]:
        """Return accounts in order of number, at most `most` (all if negative) above `after`."""
        rows = self._database.fetch(
            f"SELECT {_ACCOUNT} FROM account WHERE uin > ? ORDER BY uin LIMIT ?",  # noqa: S608
            after,
            most,
        )
        return [Account(*row) for row in rows]  # type: ignore[arg-type]

    def account_exists(self, uin: int) -> bool:
        """Return whether there is an account with this number."""
        return bool(self._database.fetch("SELECT 1 FROM account WHERE uin = ?", uin))

    def count_accounts(self) -> int:
        """Return how many accounts there are."""
        return int(self._database.fetch("SELECT count(*) FROM account")[0][0])  # type: ignore[arg-type]

    def free_number(self, lowest: int) -> int:
        """Return the lowest number from `lowest` on that nobody has."""
        if not self.account_exists(lowest):
            return lowest
        rows = self._database.fetch(
            "SELECT uin + 1 FROM account WHERE uin >= ? AND NOT EXISTS"
            " (SELECT 1 FROM account AS next WHERE next.uin = account.uin + 1)"
            " ORDER BY uin LIMIT 1",
            lowest,
        )
        return int(rows[0][0])  # type: ignore[arg-type]

    def add_account(self, account: Account, created: float) -> bool:
        """Store a new account at once; return False if the number is taken."""
        return bool(self._database.execute(_ADD_ACCOUNT, *_account_row(account, created)))

    def insert_account(self, account: Account, created: float) -> Written:
        """Store a new account; gives 0 if the number is taken."""
        return self._database.write(_ADD_ACCOUNT, *_account_row(account, created))

    def change_account(self, uin: int, **values: str | float | None) -> Written:
        """Change columns of an account, those of SETTABLE; gives 0 if there is none."""
        assert values
        assert values.keys() <= set(SETTABLE)
        columns = ", ".join(f"{name} = ?" for name in values)
        sql = f"UPDATE account SET {columns} WHERE uin = ?"  # noqa: S608
        return self._database.write(sql, *values.values(), uin)

    def delete_account(self, uin: int) -> Written:
        """Delete an account and all that belongs to it; messages it has sent stay."""
        return self._parting(self._database.write("DELETE FROM account WHERE uin = ?", uin))

    # --- profiles

    def profile(self, uin: int) -> dict[str, str]:
        """Return what an account says of itself."""
        rows = self._database.fetch("SELECT name, value FROM profile WHERE uin = ?", uin)
        return dict(rows)  # type: ignore[arg-type]

    def change_profile(self, uin: int, values: Mapping[str, str]) -> Written:
        """Change entries of a profile; an empty value removes its entry."""
        assert values
        for name, value in values.items():
            if value:
                done = self._database.write(
                    "INSERT INTO profile (uin, name, value) VALUES (?, ?, ?)"
                    " ON CONFLICT DO UPDATE SET value = excluded.value",
                    uin,
                    name,
                    value,
                )
            else:
                done = self._database.write(
                    "DELETE FROM profile WHERE uin = ? AND name = ?", uin, name
                )
        return done

    def search(self, wanted: Mapping[str, str], most: int) -> list[tuple[int, str, int]]:
        """Return (number, nick, face) of at most `most` people with all of these entries.

        Accounts that nobody may add, and suspended ones, are left out.
        """
        sql = "SELECT uin, nick, face FROM account WHERE who_may_add <> 'nobody'"
        sql += " AND suspended IS NULL"
        values: list[Any] = []
        for name, value in wanted.items():
            sql += " AND uin IN (SELECT uin FROM profile WHERE name = ? AND value = ?)"
            values += [name, value]
        return self._database.fetch(f"{sql} ORDER BY uin LIMIT ?", *values, most)  # type: ignore[return-value]

    # --- friends

    def add_friends(self, one: int, other: int) -> bool:
        """Store at once that these two are friends; return False if they were."""
        return bool(self._database.execute(_ADD_FRIENDS, one, other, other, one))

    def insert_friends(self, one: int, other: int) -> Written:
        """Store that these two are friends; gives 0 if they were."""
        return self._database.write(_ADD_FRIENDS, one, other, other, one)

    def delete_friends(self, one: int, other: int) -> Written:
        """Store that these two are no friends; gives 0 if they were none."""
        return self._parting(
            self._database.write(
                "DELETE FROM friend WHERE (uin = ? AND other = ?) OR (uin = ? AND other = ?)",
                one,
                other,
                other,
                one,
            )
        )

    def are_friends(self, one: int, other: int, now: float | None = None) -> bool:
        """Return whether these two are friends; who has just asked the clock can say `now`."""
        pair = one, other
        if pair in self._friends:
            if now is None:
                now = self._database.clock.now()
            if now - self._database.looked < _SURE:
                return True
        found = self._database.fetch("SELECT 1 FROM friend WHERE uin = ? AND other = ?", *pair)
        if found:
            if len(self._friends) >= _PAIRS:
                self._friends.clear()
            self._friends.add(pair)
        return bool(found)

    def friends(self, uin: int, after: int = 0) -> list[int]:
        """Return the numbers of all friends, or of those above `after`, in order."""
        rows = self._database.fetch(
            "SELECT other FROM friend WHERE uin = ? AND other > ? ORDER BY other", uin, after
        )
        return [row[0] for row in rows]  # type: ignore[misc]

    def friends_page(self, uin: int, offset: int, most: int) -> list[tuple[int, str, int]]:
        """Return (number, nick, face) of at most `most` friends in order, after `offset` others."""
        # Within, so that the accounts of those others are not looked up.
        return self._database.fetch(  # type: ignore[return-value]
            "SELECT account.uin, nick, face FROM"
            " (SELECT other FROM friend WHERE uin = ? ORDER BY other LIMIT ? OFFSET ?)"
            " JOIN account ON account.uin = other ORDER BY other",
            uin,
            most,
            offset,
        )

    def friends_after(self, uin: int, number: int, most: int) -> list[tuple[int, str, int]]:
        """Return (number, nick, face) of at most `most` friends in order, those above `number`."""
        return self._database.fetch(  # type: ignore[return-value]
            "SELECT account.uin, nick, face FROM friend JOIN account ON account.uin = other"
            " WHERE friend.uin = ? AND other > ? ORDER BY other LIMIT ?",
            uin,
            number,
            most,
        )

    def people(self, uins: Sequence[int]) -> list[tuple[int, str, int]]:
        """Return (number, nick, face) of some accounts, in order of number."""
        places = ", ".join("?" for _ in uins)
        sql = f"SELECT uin, nick, face FROM account WHERE uin IN ({places}) ORDER BY uin"  # noqa: S608
        return self._database.fetch(sql, *uins)  # type: ignore[return-value]

    # --- friend requests

    def add_request(self, asker: int, asked: int, at: float) -> Written:
        """Store that `asker` wants to be a friend of `asked`."""
        return self._database.write(
            "INSERT INTO request (asker, asked, at) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET at = excluded.at",
            asker,
            asked,
            at,
        )

    def has_request(self, asker: int, asked: int) -> bool:
        """Return whether `asker` waits for an answer of `asked`."""
        return bool(
            self._database.fetch(
                "SELECT 1 FROM request WHERE asker = ? AND asked = ?", asker, asked
            )
        )

    def requests_from(self, asker: int) -> list[int]:
        """Return the numbers of those who were asked and have not answered."""
        rows = self._database.fetch(
            "SELECT asked FROM request WHERE asker = ? ORDER BY asked", asker
        )
        return [int(row[0]) for row in rows]  # type: ignore[arg-type]

    def requests_to(self, asked: int, most: int, since: float = 0.0) -> list[int]:
        """Return the numbers of at most `most` people who wait for an answer of `asked`.

        Those who asked before the date `since` are left out.
        """
        rows = self._database.fetch(
            "SELECT asker FROM request WHERE asked = ? AND at >= ? ORDER BY asker LIMIT ?",
            asked,
            since,
            most,
        )
        return [int(row[0]) for row in rows]  # type: ignore[arg-type]

    def delete_request(self, asker: int, asked: int) -> Written:
        """Forget a request; gives 0 if there was none."""
        return self._database.write(
            "DELETE FROM request WHERE asker = ? AND asked = ?", asker, asked
        )

    # --- messages

    def add_message(
        self, sender: int, receiver: int, text: str, sent: float, kind: Kind = Kind.MESSAGE
    ) -> NewMessage:
        """Store a message; it is on disk when that is done, and gives its id.

        Ids ascend in the order of these calls.
        """
        data = text.encode("utf-8", "surrogateescape")  # SQLite takes no text that is no UTF-8
        row = receiver, sender, kind._value_, data, sent  # `value` takes ten times as long
        message = NewMessage(self._messages, row, receiver, sender, text, kind)
        self._messages.put(message)
        return message

    def on_stored(self, call: Callable[[list[NewMessage]], None]) -> None:
        """Have `call` called with the messages that are on disk since the last time, in order."""
        self._messages.on_stored(call)

    def unfinished(self, receiver: int) -> int:
        """Return how many messages for somebody are being stored."""
        return sum(message.receiver == receiver for message in self._messages.unfinished)

    def announce(self, sender: int, text: str, sent: float, most: int) -> Written:
        """Store a message for everybody who is not suspended and has fewer than `most` waiting.

        Gives how many that were.
        """
        return self._database.write(
            "INSERT INTO message (receiver, sender, kind, text, sent)"
            " SELECT uin, ?, ?, ?, ? FROM account WHERE suspended IS NULL AND"
            " (SELECT count(*) FROM (SELECT 1 FROM message WHERE receiver = uin LIMIT ?)) < ?",
            sender,
            Kind.MESSAGE.value,
            text.encode("utf-8", "surrogateescape"),
            sent,
            most,
            most,
        )

    def messages_after(self, receiver: int, id: int, most: int) -> list[Stored]:  # noqa: A002
        """Return at most `most` messages that wait, oldest first, those with higher ids."""
        rows = self._database.fetch(
            "SELECT id, sender, text, kind FROM message WHERE receiver = ? AND id > ?"
            " ORDER BY id LIMIT ?",
            receiver,
            id,
            most,
        )
        return [
            Stored(number, sender, text.decode("utf-8", "surrogateescape"), Kind(kind))  # type: ignore[arg-type, union-attr]
            for number, sender, text, kind in rows
        ]

    def dates_of_messages(self, receiver: int, id: int, most: int) -> dict[int, float]:  # noqa: A002
        """Return when each of the same messages as of `messages_after` was sent, by its id."""
        rows = self._database.fetch(
            "SELECT id, sent FROM message WHERE receiver = ? AND id > ? ORDER BY id LIMIT ?",
            receiver,
            id,
            most,
        )
        return dict(rows)  # type: ignore[arg-type]

    def count_messages(self, receiver: int, most: int) -> int:
        """Return how many messages wait, counted up to `most`."""
        rows = self._database.fetch(
            "SELECT count(*) FROM (SELECT 1 FROM message WHERE receiver = ? LIMIT ?)",
            receiver,
            most,
        )
        return int(rows[0][0])  # type: ignore[arg-type]

    def delete_messages(self, arrived: Mapping[int, int]) -> Written:
        """Delete what was delivered: of each of at most MOST_RECEIVERS all up to this id."""
        assert 0 < len(arrived) <= MOST_RECEIVERS
        room = 1 << (len(arrived) - 1).bit_length()  # else each number would be a new statement
        pairs = [*arrived.items(), *[_NOBODY] * (room - len(arrived))]
        return self._database.write_along(_deletion(room), *chain.from_iterable(pairs))

    # --- devices

    def devices(self, uin: int) -> list[Device]:
        """Return the passwords made for phones of an account, by name."""
        rows = self._database.fetch(
            "SELECT uin, name, proof, created, last_seen FROM device WHERE uin = ? ORDER BY name",
            uin,
        )
        return [Device(*row) for row in rows]  # type: ignore[arg-type]

    def add_device(self, device: Device) -> Written:
        """Store a device's password; gives 0 if the account has one of this name."""
        return self._database.write(
            "INSERT INTO device (uin, name, proof, created) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            device.uin,
            device.name,
            device.proof,
            device.created,
        )

    def saw_device(self, uin: int, name: str, at: float) -> Written:
        """Store when a device's password was last used."""
        return self._database.write(
            "UPDATE device SET last_seen = ? WHERE uin = ? AND name = ?", at, uin, name
        )

    def delete_device(self, uin: int, name: str) -> Written:
        """Delete a device's password; gives 0 if there is none of this name."""
        return self._database.write("DELETE FROM device WHERE uin = ? AND name = ?", uin, name)

    # --- invitations

    def invitations(self) -> list[Invitation]:
        """Return the invitations that were not used up, oldest first."""
        rows = self._database.fetch(
            "SELECT proof, note, created, expires, uses FROM invitation ORDER BY created, proof"
        )
        return [Invitation(*row) for row in rows]  # type: ignore[arg-type]

    def add_invitation(self, invitation: Invitation) -> Written:
        """Store an invitation."""
        return self._database.write(
            "INSERT INTO invitation (proof, note, created, expires, uses) VALUES (?, ?, ?, ?, ?)",
            invitation.proof,
            invitation.note,
            invitation.created,
            invitation.expires,
            invitation.uses,
        )

    def has_invitation(self, proof: str, now: float) -> bool:
        """Return whether there is an invitation that is not used up and has not expired."""
        return bool(
            self._database.fetch(
                "SELECT 1 FROM invitation WHERE proof = ? AND uses > 0 AND expires > ?", proof, now
            )
        )

    def register_account(self, account: Account, created: float, invitation: str) -> Written:
        """Store a new account and use an invitation for it, both or none.

        Gives 0 if the number is taken, or the invitation is used up or has expired.
        """
        # Two statements of one turn are one transaction. The proof tells the account from an older
        # one with the number, since its salt is new.
        done = self._database.write(
            _REGISTER_ACCOUNT, *_account_row(account, created), invitation, created
        )
        self._database.write(
            "UPDATE invitation SET uses = uses - 1 WHERE proof = ? AND uses > 0"
            " AND EXISTS (SELECT 1 FROM account WHERE uin = ? AND account.proof = ?)",
            invitation,
            account.uin,
            account.proof,
        )
        return done

    def delete_invitations(self) -> Written:
        """Delete the invitations that are used up.

        Those that have expired stay: the date may be wrong for a while.
        """
        return self._database.write("DELETE FROM invitation WHERE uses <= 0")

    def _parting(self, done: Written) -> Written:
        done.add_done_callback(lambda _: self._friends.clear())
        return done


@cache
def _deletion(count: int) -> str:
    """Return the statement that deletes what arrived at so many people."""
    return (
        "DELETE FROM message WHERE id IN (SELECT message.id"  # noqa: S608
        f" FROM (VALUES {', '.join(['(?, ?)'] * count)}) CROSS JOIN message"
        " ON receiver = column1 AND message.id <= column2)"
    )


def _account_row(account: Account, created: float) -> tuple[Any, ...]:
    return (
        account.uin,
        account.nick,
        account.face,
        account.proof,
        account.who_may_add,
        account.who_may_write,
        account.suspended,
        created,
    )
