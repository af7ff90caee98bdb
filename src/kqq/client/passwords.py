"""Passwords in the keyring of the system, through the library `keyring` (extra `kqq[keyring]`).

Where there is no keyring nothing is kept: never is a password written in the clear. A password
belongs to a number and a server: it is only ever given for the server that it was stored for.

Backends ask the system, which may ask the person to unlock the keyring, or nobody at all; so each
question has its own thread, which is left alone when the time is over.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from kqq.client.transport import Address
from kqq.errors import ConfigError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds that a keyring has to answer; a person may have to unlock it first."""


class NoKeyring(ConfigError):
    """There is no keyring here that is safe, so nothing was ever stored."""


def stored(uin: int, server: Address | str, *, patience: float = PATIENCE) -> str | None:
    """Return the password that is stored for a number at a server, or None.

    Raises ConfigError if there is no keyring, or it does not answer.
    """
    return _ask(lambda keyring: keyring.get_password(_service(server), str(uin)), patience)


def store(uin: int, server: Address | str, password: str, *, patience: float = PATIENCE) -> None:
    """Store a password, in place of another. Raises ConfigError as `stored` does."""
    _ask(lambda keyring: keyring.set_password(_service(server), str(uin), password), patience)


def forget(uin: int, server: Address | str, *, patience: float = PATIENCE) -> bool:
    """Delete a password; return whether there was one. Raises ConfigError as `stored` does."""

    def delete(keyring: "KeyringBackend") -> bool:
        if keyring.get_password(_service(server), str(uin)) is None:
            return False
        keyring.delete_password(_service(server), str(uin))
        return True

    return _ask(delete, patience)


def _service(server: Address | str) -> str:
    """Return under what a keyring shows the password to its owner."""
    return f"kqq {server}"


def _ask(work: Callable[["KeyringBackend"], T], patience: float) -> T:
    """Return what `work` gets from the keyring, in words if it fails."""
    answers: list[T] = []
    errors: list[Exception] = []

    def ask() -> None:
        try:
            answers.append(work(_backend()))
        except Exception as error:  # noqa: BLE001  # backends raise what their systems raise
            errors.append(error)

    thread = threading.Thread(target=ask, name="kqq-keyring", daemon=True)
    thread.start()
    thread.join(patience)
    if answers:
        return answers[0]
    if not errors:
        raise ConfigError(
            f"the keyring did not answer within {patience:g} s; it may be waiting to be unlocked"
        )
    if isinstance(errors[0], ConfigError):
        raise errors[0]
    raise ConfigError(f"the keyring cannot be used: {_why(errors[0])}") from errors[0]


def _backend() -> "KeyringBackend":
    """Return the keyring of this system. Raises ConfigError if there is none that is safe."""
    try:
        import keyring.core  # noqa: PLC0415  # is not everywhere, and takes its time
    except ImportError as error:
        raise NoKeyring(
            "to keep passwords, kqq needs the library `keyring`; `pip install keyring` beside it"
        ) from error

    chosen: Any = keyring.get_keyring()
    backend = next(iter(getattr(chosen, "backends", ())), chosen)  # the first of a chain
    if backend.priority < 1:  # below that are files in the clear, and backends that keep nothing
        raise NoKeyring(
            f"there is no keyring on this system that is safe ({backend.name}); `keyring "
            "diagnose` tells what the library looks at"
        )
    return backend  # type: ignore[no-any-return]  # the library has no types for chains


def _why(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
