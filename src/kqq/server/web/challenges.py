"""Pictures that newcomers must read: they have no number yet, so each picture has one of its own.

What holds against people who mean harm: each picture can be tried once, and an address has at most
1 % of those that wait, so whoever asks for many pushes out only its own.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from kqq.errors import AccountError
from kqq.server import picture
from kqq.server.accounts import check_nick, check_password
from kqq.server.clock import Clock
from kqq.server.config import Config
from kqq.server.web.site import Refused

LONGEST_PASSWORD = 256
"""Characters of a password that is chosen in a browser; phones have passwords of their own."""
_SHARE = 100  # an address has one part in so many of the pictures that wait
_ID = 16  # bytes


def needs_captcha(config: Config) -> bool:
    """Return whether newcomers must read a picture; unless sign-ins never do, they must."""
    return config.captcha != "never"


def check_new_password(password: str) -> None:
    """Raise Refused if nobody could have this password."""
    try:
        check_password(password)
    except AccountError as error:
        raise Refused(400, "password", str(error)) from None
    if len(password) > LONGEST_PASSWORD:
        raise Refused(
            400, "password", f"a password can have {LONGEST_PASSWORD} characters, not more"
        )


def check_new_nick(nick: str) -> None:
    """Raise Refused if nobody could have this nickname."""
    try:
        check_nick(nick)
    except AccountError as error:
        raise Refused(400, "nick", str(error)) from None


@dataclass(slots=True)
class _Challenge:
    at: float
    key: str
    letters: str = field(repr=False)


class Challenges:
    """The pictures that wait to be read, `most` at most.

    `lifetime` says for how many seconds one can be answered; it is asked each time, since settings
    change.
    """

    def __init__(
        self,
        clock: Clock,
        random: Callable[[int], bytes],
        *,
        lifetime: Callable[[], float],
        most: int = 5000,
    ) -> None:
        self._clock = clock
        self._random = random
        self._lifetime = lifetime
        self._most = most
        self._most_of_key = max(1, most // _SHARE)
        self._waiting: OrderedDict[str, _Challenge] = OrderedDict()  # by id, oldest first
        self._of_key: dict[str, OrderedDict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def ask(self, key: str) -> tuple[str, bytes]:
        """Return the id of a new picture, and the picture as PNG; `key` is what an address counts.

        If too many wait, the oldest goes: of the address, or else of all.
        """
        self._forget_old()
        if len(self._of_key.get(key, ())) >= self._most_of_key:
            self._drop(next(iter(self._of_key[key])))
        elif len(self._waiting) >= self._most:
            self._drop(next(iter(self._waiting)))
        number, letters = self._random(_ID).hex(), picture.pick_letters(self._random)
        self._waiting[number] = _Challenge(self._clock.now(), key, letters)
        self._of_key.setdefault(key, OrderedDict())[number] = None
        return number, picture.draw(letters, self._random)

    def answer(self, number: str, letters: str) -> bool | None:
        """Return whether these are the letters of a picture, None if it does not wait any more.

        It is used up either way. Lower case is right, too, and so are blanks around the letters.
        """
        self._forget_old()
        challenge = self._waiting.get(number)
        if challenge is None:
            return None
        self._drop(number)
        return letters.strip().upper() == challenge.letters

    def _drop(self, number: str) -> None:
        key = self._waiting.pop(number).key
        mates = self._of_key[key]
        del mates[number]
        if not mates:
            del self._of_key[key]

    def _forget_old(self) -> None:
        before = self._clock.now() - self._lifetime()
        while self._waiting:
            number, challenge = next(iter(self._waiting.items()))
            if challenge.at > before:
                break
            self._drop(number)
