"""A keyring in memory, as a backend of the library `keyring`.

Importing this takes the keyring of whoever runs the tests away: there is none, until a test uses
one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import keyring
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring

B = TypeVar("B", bound=KeyringBackend)

keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]


class InMemory(KeyringBackend):
    """Keeps passwords by service and user name."""

    priority: float = 1
    name = "in memory"

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.passwords: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        """Return what is kept."""
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a password."""
        self.passwords[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Delete a password."""
        del self.passwords[service, username]


@contextmanager
def using(backend: B) -> Iterator[B]:
    """Let `backend` be the system's keyring meanwhile."""
    before = keyring.get_keyring()
    keyring.set_keyring(backend)
    try:
        yield backend
    finally:
        keyring.set_keyring(before)
