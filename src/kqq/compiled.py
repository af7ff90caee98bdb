"""Which modules are compiled to C where a build is told to, and whether these here were.

`docs/performance.md` says how. The code is the same either way, and nothing has to be compiled.
"""

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

MODULES = (
    "kqq.protocol.connection",
    "kqq.protocol.post",
    "kqq.protocol.wire",
    "kqq.server.clock",
    "kqq.server.database",
    "kqq.server.dispatch",
    "kqq.server.doors",
    "kqq.server.friends",
    "kqq.server.handlers.base",
    "kqq.server.handlers.messaging",
    "kqq.server.handover",
    "kqq.server.inbox",
    "kqq.server.limits",
    "kqq.server.outgoing",
    "kqq.server.phones",
    "kqq.server.posts",
    "kqq.server.presence",
    "kqq.server.repeats",
    "kqq.server.rounds",
    "kqq.server.session",
    "kqq.server.shortcut",
    "kqq.server.store",
    "kqq.server.tap",
    "kqq.server.transaction",
)
"""What a message or a poll goes through between socket and disk, and what keeps time for it.

They belong together: a call between two of them costs next to nothing, and one that leaves them as
much as always. The rest is not run that often, or would behave otherwise, since compiled code

- raises a bare TypeError where a value is not of the type that is written down, so
  `kqq.protocol.messages` could not say which rule such a value breaks;
- forgets what comes after `raise … from`, so `kqq.server.accounts` would show, in a traceback, what
  it means to hide with `from None`."""


def is_compiled() -> bool:
    """Return whether this kqq was compiled."""
    source = Path(__file__).parent.parent.joinpath(*MODULES[0].split("."))
    # Where a module is there as a library, too, Python loads that.
    return any(source.with_name(source.name + suffix).exists() for suffix in EXTENSION_SUFFIXES)
