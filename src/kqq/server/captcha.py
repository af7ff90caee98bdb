"""When somebody must read a picture before signing in, which letters were in it, what waits for it.

All is kept in memory under the number and the host it came from, not under a connection: over HTTP
the picture and the letters travel in two connections (SETM). A host is whatever the caller takes
for one place; of IPv6 that should be the network (/64), for one machine has all addresses of it.

What holds against people who mean harm:

- Nobody at another host can use up, replace or read what waits for somebody. Behind the same
  address (a company, a mobile network) one can replace it, by asking for the same number.
- A host has at most 1 % of the pictures that wait: whoever cycles through numbers pushes out only
  what waits at the same host. To push out a stranger's takes 100 hosts, all within its lifetime.
- Wrong passwords pushed out of a full memory are forgotten. One host comes to three times
  `failures` of them before each further one costs a picture, so that takes a thousand hosts or so,
  and gains a few guesses.
- To have read a picture, or signed in, is worth nothing any more after one wrong password.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from kqq.errors import ConfigError
from kqq.server import picture
from kqq.server.clock import Clock

_HOST_FACTOR = 3  # many people may be behind one host
_HOST_SHARE = 100  # a host has one part in so many of the pictures that wait

Held = TypeVar("Held")
_Who = tuple[int, str]


class Asked(Enum):
    """When a picture must be read; the values are what a configuration says."""

    NEVER = "never"
    AFTER_FAILURES = "after-failures"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptchaRules:
    """When a picture must be read and how long things count. Times are seconds."""

    asked: Asked = Asked.AFTER_FAILURES
    """The rule for all sign-ins."""

    failures: int = 3
    """Wrong passwords for a number after which AFTER_FAILURES asks; three times that from a host,
    whatever the numbers."""

    window: float = 900.0
    """How long a wrong password counts."""

    lifetime: float = 180.0
    """How long a picture can be answered."""

    grace: float = 600.0
    """How long whoever read a picture or signed in needs to read none.
    COMPAT(SET_MQQ): it signs in before every call."""

    def __post_init__(self) -> None:
        """Raise ConfigError if a rule cannot be."""
        for name in ("failures", "window", "lifetime"):
            if (value := getattr(self, name)) <= 0:
                raise ConfigError(
                    f"captcha {name}={value} cannot be; take a number above 0, or ask never"
                )
        if self.grace < 0:
            raise ConfigError(f"captcha grace={self.grace} cannot be; take 0 or more")


@dataclass(slots=True)
class _Challenge(Generic[Held]):
    at: float
    letters: str | None = field(repr=False)  # None once somebody answered wrong
    held: Held = field(repr=False)  # a sign-in has a password in it


class Captchas(Generic[Held]):
    """Who must read a picture, and the sign-ins (`Held`, never None) that wait until one is read.

    `rules` is asked each time, so they can change; `most` is how many pictures wait at most, how
    many wrong passwords are remembered and how many who need no picture. What is too old is
    dropped at the next call of any method.
    """

    def __init__(
        self,
        clock: Clock,
        random: Callable[[int], bytes],
        *,
        rules: Callable[[], CaptchaRules],
        most: int = 10_000,
    ) -> None:
        self._clock = clock
        self._random = random
        self.rules = rules
        self._most = most
        self._most_of_host = max(1, most // _HOST_SHARE)
        # All are in the order of time, so that the old is in front.
        self._waiting: OrderedDict[_Who, _Challenge[Held]] = OrderedDict()
        self._waiting_at: dict[str, OrderedDict[int, None]] = {}
        self._trusted: OrderedDict[_Who, float] = OrderedDict()
        self._failures = _Failures()

    def wanted(self, uin: int, host: str, *, can_show: bool = True, is_known: bool = False) -> bool:
        """Whether a sign-in of `uin` from `host` must read a picture first.

        To a client that cannot show one, only failures from its own host count: others could keep
        it out by failing in its name. Whose password `is_known` to be right guesses nothing, and
        needs none unless it is asked of everybody.
        """
        rules = self._forget_old()
        if rules.asked is Asked.NEVER or (uin, host) in self._trusted:
            return False
        if is_known and rules.asked is not Asked.ALWAYS:
            return False
        failed = self._failures.count(uin) if can_show else self._failures.count_both(uin, host)
        return (
            rules.asked is Asked.ALWAYS
            or failed >= rules.failures
            or self._failures.count(host) >= rules.failures * _HOST_FACTOR
        )

    def failed(self, uin: int, host: str) -> None:
        """Note a wrong password; a number that nobody has should count as well."""
        self._forget_old()
        self._trusted.pop((uin, host), None)
        self._failures.add(self._clock.now(), uin, host)
        if len(self._failures) > self._most:
            self._failures.drop_oldest()

    def succeeded(self, uin: int, host: str) -> None:
        """Note a right password: forget the wrong ones for this number from this host only.

        Those from elsewhere stay, else whoever guesses is set free each time the owner signs in.
        """
        self._forget_old()
        self._failures.forget(uin, host)
        self._trust((uin, host))

    def ask(self, uin: int, host: str, held: Held) -> bytes:
        """Return a new picture as PNG; `held` (the sign-in that waits) comes with the right answer.

        It replaces the picture before of the same number and host.
        """
        self._forget_old()
        who = (uin, host)
        if who in self._waiting:
            self._drop(who)
        here = self._waiting_at.setdefault(host, OrderedDict())
        if len(here) >= self._most_of_host:
            self._drop((next(iter(here)), host))
        elif len(self._waiting) >= self._most:
            self._drop(next(iter(self._waiting)))
        letters = picture.pick_letters(self._random)
        self._waiting[who] = _Challenge(self._clock.now(), letters, held)
        self._waiting_at.setdefault(host, OrderedDict())[uin] = None
        return picture.draw(letters, self._random)

    def answer(self, uin: int, host: str, letters: str) -> Held | None:
        """Return what was held if these are the letters of the picture; it is used up then.

        None if they are not, or no picture waits. A picture can be tried once: after a wrong
        answer `ask` for another with what `held` returns. OURS: lower case is right, too, and so
        are blanks around the letters.
        """
        self._forget_old()
        who = (uin, host)
        challenge = self._waiting.get(who)
        if challenge is None or challenge.letters is None:
            return None
        if letters.strip().upper() != challenge.letters:
            challenge.letters = None
            return None
        self._drop(who)
        self._trust(who)
        return challenge.held

    def held(self, uin: int, host: str) -> Held | None:
        """Return what waits for a picture to be read; None if nothing does or it is too old."""
        self._forget_old()
        challenge = self._waiting.get((uin, host))
        return None if challenge is None else challenge.held

    def _trust(self, who: _Who) -> None:
        self._trusted[who] = self._clock.now()
        self._trusted.move_to_end(who)
        if len(self._trusted) > self._most:
            self._trusted.popitem(last=False)

    def _drop(self, who: _Who) -> None:
        del self._waiting[who]
        uin, host = who
        here = self._waiting_at[host]
        del here[uin]
        if not here:
            del self._waiting_at[host]

    def _forget_old(self) -> CaptchaRules:
        """Drop what no longer counts and return the rules by which it does not."""
        rules, now = self.rules(), self._clock.now()
        while self._waiting:
            who, challenge = next(iter(self._waiting.items()))
            if now - challenge.at < rules.lifetime:
                break
            self._drop(who)
        while self._trusted and now - next(iter(self._trusted.values())) >= rules.grace:
            self._trusted.popitem(last=False)
        self._failures.drop_until(now - rules.window)
        return rules


class _Failures:
    """Wrong passwords, oldest first, to be counted by number and by host."""

    def __init__(self) -> None:
        self._all: OrderedDict[int, tuple[float, int, str]] = OrderedDict()
        self._next = 0
        self._index: dict[int | str, set[int]] = {}  # by number and by host

    def __len__(self) -> int:
        return len(self._all)

    def count(self, key: int | str) -> int:
        """Return how many were for a number, or came from a host."""
        return len(self._index.get(key, ()))

    def count_both(self, uin: int, host: str) -> int:
        """Return how many were for a number and came from a host."""
        return len(self._index.get(uin, set()) & self._index.get(host, set()))

    def add(self, at: float, uin: int, host: str) -> None:
        """Add one; `at` is never before that of the one before."""
        self._all[self._next] = (at, uin, host)
        for key in (uin, host):
            self._index.setdefault(key, set()).add(self._next)
        self._next += 1

    def forget(self, uin: int, host: str) -> None:
        """Drop all that were for `uin` and came from `host`."""
        for number in self._index.get(uin, set()) & self._index.get(host, set()):
            self._drop(number)

    def drop_until(self, moment: float) -> None:
        """Drop all of `moment` and before."""
        while self._all and next(iter(self._all.values()))[0] <= moment:
            self.drop_oldest()

    def drop_oldest(self) -> None:
        """Drop the oldest; there must be one."""
        self._drop(next(iter(self._all)))

    def _drop(self, number: int) -> None:
        _, uin, host = self._all.pop(number)
        for key in (uin, host):
            self._index[key].discard(number)
            if not self._index[key]:
                del self._index[key]
