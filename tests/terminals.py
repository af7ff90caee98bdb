"""Terminals for tests, where the system has any to give."""

import os

import pytest


def open_terminal() -> tuple[int, int]:
    """Return the two ends of a new terminal: ours, and the one a program sees."""
    try:
        return os.openpty()
    except OSError as error:  # a chroot without devpts
        pytest.skip(f"the system gives no terminal: {error}")
