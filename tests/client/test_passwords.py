"""Passwords in the system's keyring: the library is real, its backend is in memory."""

import sys
import threading
from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import InitError, KeyringLocked, PasswordDeleteError

from keyrings_here import InMemory, using
from kqq.client import passwords
from kqq.client.transport import Address
from kqq.errors import ConfigError

HERE = Address("127.0.0.1", 14000)


@pytest.fixture
def memory() -> Iterator[InMemory]:
    """A keyring in memory, for the time of a test."""
    with using(InMemory()) as backend:
        yield backend


def test_a_password_is_stored_found_and_forgotten(memory: InMemory) -> None:
    """By number and server; its owner sees what it is for."""
    assert passwords.stored(10001, HERE) is None
    passwords.store(10001, HERE, "secret")
    assert passwords.stored(10001, "tcp://127.0.0.1:14000") == "secret"
    assert memory.passwords == {("kqq tcp://127.0.0.1:14000", "10001"): "secret"}
    assert passwords.forget(10001, HERE)
    assert not passwords.forget(10001, HERE)
    assert passwords.stored(10001, HERE) is None


def test_a_password_is_for_one_number_and_one_server(memory: InMemory) -> None:
    """Another server must not get it."""
    passwords.store(10001, HERE, "secret")
    assert passwords.stored(10002, HERE) is None
    assert passwords.stored(10001, "tcp://192.0.2.7:14000") is None


class Plain(InMemory):
    """A keyring that is not recommended, such as a file in the clear."""

    priority = 0.5
    name = "plaintext file"


class Chain(InMemory):
    """A keyring that asks others."""

    priority = 10

    def __init__(self, *backends: KeyringBackend) -> None:
        super().__init__()
        self.backends = list(backends)


@pytest.mark.parametrize("kind", ["none", "plain", "a chain"])
def test_without_a_safe_keyring_nothing_is_kept(kind: str) -> None:
    """None at all, or one that writes in the clear."""
    no_keyring: KeyringBackend = NoKeyring()  # type: ignore[no-untyped-call]
    backend = {"none": no_keyring, "plain": Plain(), "a chain": Chain(Plain(), InMemory())}[kind]
    with using(backend):
        with pytest.raises(ConfigError, match="there is no keyring on this system that is safe"):
            passwords.store(10001, HERE, "secret")
        with pytest.raises(ConfigError, match="keyring diagnose"):
            passwords.stored(10001, HERE)
    assert not getattr(backend, "passwords", None)


def test_of_a_chain_the_first_is_used() -> None:
    """Another one of it may be unsafe."""
    first, second = InMemory(), Plain()
    with using(Chain(first, second)):
        passwords.store(10001, HERE, "secret")
        assert passwords.stored(10001, HERE) == "secret"
    assert first.passwords
    assert not second.passwords


def test_without_the_library_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library is an extra."""
    monkeypatch.setitem(sys.modules, "keyring.core", None)
    with pytest.raises(ConfigError, match="pip install keyring"):
        passwords.stored(10001, HERE)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyringLocked("Failed to unlock\nthe collection!"), "Failed to unlock the collection!"),
        (InitError(), "InitError"),
        (PasswordDeleteError("gone"), "gone"),
        (OSError("the bus is gone"), "the bus is gone"),
    ],
)
def test_what_a_keyring_cannot_do_is_told_in_words(error: Exception, told: str) -> None:
    """Whatever its system raises."""

    class Broken(InMemory):
        def get_password(self, service: str, username: str) -> str | None:
            raise error

    with using(Broken()), pytest.raises(ConfigError, match=f"cannot be used: {told}"):
        passwords.forget(10001, HERE)


def test_a_keyring_that_waits_for_somebody_is_not_waited_for() -> None:
    """A prompt that nobody sees does not stop a script for ever."""
    answer = threading.Event()

    class Waiting(InMemory):
        def get_password(self, service: str, username: str) -> str | None:
            answer.wait(10)
            return None

    with using(Waiting()):
        with pytest.raises(ConfigError, match=r"did not answer within 0.01 s; it may be waiting"):
            passwords.stored(10001, HERE, patience=0.01)
        answer.set()


def test_keyrings_are_put_back() -> None:
    """The helper of these tests leaves nothing behind."""
    before = keyring.get_keyring()
    with using(InMemory()):
        pass
    assert keyring.get_keyring() is before
