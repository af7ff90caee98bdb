"""One small function per command: a message in, its reply out.

This is the only place where words of the wire and words of the domain meet, in both directions.
"""

from kqq.server.handlers import friending, messaging, people, roster, sign_in
from kqq.server.handlers.base import (
    HANDLERS,
    After,
    Answer,
    Context,
    Peer,
    Services,
    Taken,
    refusal,
)
from kqq.server.handlers.messaging import push
from kqq.server.handlers.sign_in import SIGNED_OUT, password_refusal

__all__ = [
    "HANDLERS",
    "SIGNED_OUT",
    "After",
    "Answer",
    "Context",
    "Peer",
    "Services",
    "Taken",
    "friending",
    "messaging",
    "password_refusal",
    "people",
    "push",
    "refusal",
    "roster",
    "sign_in",
]
