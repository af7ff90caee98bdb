"""What the keys do, in words: for the line at the bottom and for the page of all keys."""

from collections.abc import Sequence
from enum import Enum

from kqq.words import tr


class Place(Enum):
    """Where the keys go."""

    FRIENDS = "friends"
    FIELD = "field"
    WIRE = "wire"
    WIRE_FIELDS = "wire fields"
    WIRE_DETAIL = "wire detail"

    @property
    def is_wire(self) -> bool:
        """Whether it is a part of the wire."""
        return self in (Place.WIRE, Place.WIRE_FIELDS, Place.WIRE_DETAIL)


def hints(place: Place) -> list[tuple[str, str, str]]:
    """Return the most useful keys in a place, what they do, and as which action of the app."""
    here = {
        Place.FRIENDS: [
            ("Enter", tr("talk"), "app.talk"),
            ("/", tr("find"), "app.find_friend"),
        ],
        Place.FIELD: [
            ("Enter", tr("send"), "app.send"),
            ("Esc", tr("friends"), "app.go_back"),
        ],
        Place.WIRE: [
            ("→", tr("fields"), "app.wire_fields"),
        ],
        Place.WIRE_FIELDS: [
            ("←", tr("lines"), "app.wire_lines"),
            ("→", tr("in full"), "app.wire_detail"),
        ],
        Place.WIRE_DETAIL: [
            ("←", tr("fields"), "app.wire_fields"),
        ],
    }
    always = [("F1", tr("keys"), "app.keys"), ("Ctrl+P", tr("all"), "app.commands")]
    if place.is_wire:
        further = [
            ("Esc", tr("close"), "app.wire"),
            ("C", tr("copy"), "app.wire_copy"),
        ]
    else:
        further = [
            ("F2", tr("wire"), "app.wire"),
            ("Ctrl+N", tr("add"), "app.add_friend")
            if place is Place.FRIENDS
            else ("Ctrl+J", tr("new line"), "app.new_line"),
            ("F3", tr("search"), "app.find_messages"),
        ]
    return [
        *here[place],
        *always,
        *further,
        ("Ctrl+T", tr("status"), "app.status"),
        ("Ctrl+Q", tr("quit"), "app.quit"),
    ]


def every_key() -> Sequence[tuple[str, Sequence[tuple[str, str]]]]:
    """Return what all keys do, under headings, and what the signs beside messages mean."""
    return [
        (
            tr("Everywhere"),
            [
                ("F1", tr("this")),
                ("Ctrl+P", tr("everything that can be done")),
                ("Tab", tr("go on to the next part")),
                ("Esc", tr("back; between friends and conversation")),
                ("Alt+↑ Alt+↓", tr("the conversation above, below")),
                ("Ctrl+O", tr("the next unread conversation")),
                ("F2", tr("the wire")),
                ("F3", tr("find in messages")),
                ("F4", tr("profile")),
                ("F5", tr("fetch the list of friends again")),
                ("F8", tr("dark or light")),
                ("Ctrl+N", tr("add a friend")),
                ("Ctrl+G", tr("find people")),
                ("Ctrl+T", tr("your status")),
                ("Ctrl+R", tr("sign in again")),
                ("Ctrl+Q", tr("quit")),
            ],
        ),
        (
            tr("Friends"),
            [
                ("↑ ↓", tr("choose")),
                ("Enter", tr("talk, or answer a request")),
                ("/", tr("find somebody in the list")),
            ],
        ),
        (
            tr("Conversation"),
            [
                ("Enter", tr("send")),
                ("Ctrl+J", tr("a new line; Alt+Enter, too")),
                ("↑", tr("what you sent last, if the field is empty")),
                ("PgUp PgDn", tr("scroll")),
            ],
        ),
        (
            tr("Wire"),
            [
                ("↑ ↓", tr("another line; at the end it follows")),
                ("→ ←", tr("to the fields, to all of one; back")),
                ("C", tr("copy the line, without secrets")),
            ],
        ),
        (
            tr("What became of your messages"),
            [
                ("…", tr("waits to be sent")),
                ("✓", tr("the server has it")),
                ("✗", tr("the server said no")),
                ("?", tr("the connection broke before the answer came")),
            ],
        ),
    ]
