"""One data folder, one server: a lock on a file in the folder, which ends with whoever holds it.

Two servers on one folder would each tell their own clients only.
"""

import fcntl
from pathlib import Path
from typing import IO

from kqq.errors import ConfigError, StoreError

_NAME = "lock"


def claim(data: Path, otherwise: str) -> IO[str]:
    """Claim a data folder, until the file that is returned is closed.

    Raises ConfigError, which says `otherwise`, if somebody else has it, and StoreError if nothing
    can be written there.
    """
    try:
        file = (data / _NAME).open("a", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write in {data}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ConfigError(otherwise) from None
    return file


def is_claimed(data: Path) -> bool:
    """Return whether a server uses a data folder, or something else that must be alone there."""
    try:
        file = (data / _NAME).open(encoding="utf-8")
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
