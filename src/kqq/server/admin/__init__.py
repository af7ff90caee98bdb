"""What an operator can do, as functions; command line, pages and programs call the same ones.

Each action takes what its arguments say and returns what JSON can hold: an object, or a list of
objects. They work on a data folder where no server runs, too, as far as they need none. Passwords
come as proofs, which the caller makes, so that no password crosses the socket; but what the server
makes up itself, the password of a device, the code of an invitation, a token, is returned once.

What is changed is on disk before a session is ended for it, so nobody slips in between.
"""

from kqq.server.admin import accounts, devices, invitations, limits, live, operators, why
from kqq.server.admin.base import (
    ACTIONS,
    Action,
    Admin,
    NoServer,
    Parameter,
    Result,
    WrongArguments,
    check_server,
    perform,
)
from kqq.server.admin.live import SYSTEM

__all__ = [
    "ACTIONS",
    "SYSTEM",
    "Action",
    "Admin",
    "NoServer",
    "Parameter",
    "Result",
    "WrongArguments",
    "accounts",
    "check_server",
    "devices",
    "invitations",
    "limits",
    "live",
    "operators",
    "perform",
    "why",
]
