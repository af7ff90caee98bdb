"""A plugin for tests of the compiled package: those are skipped that cannot be had there.

Compiled modules call each other's functions without looking at the module first, so whoever puts
another function there changes nothing.
"""

from typing import Any

import pytest

from kqq.compiled import MODULES

_set = pytest.MonkeyPatch.setattr


def _set_or_skip(patch: pytest.MonkeyPatch, target: Any, name: Any, *args: Any, **how: Any) -> None:
    owner = getattr(target, "__name__", "")
    if owner in MODULES and callable(getattr(target, name, None)):
        pytest.skip(f"{owner} is compiled, and calls its own {name} whatever is put there")
    _set(patch, target, name, *args, **how)


pytest.MonkeyPatch.setattr = _set_or_skip  # type: ignore[method-assign,assignment]
