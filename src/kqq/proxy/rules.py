"""What becomes of lines: orders such as `client:CLTMSG`, and rules in a small Python file.

    def on_line(line, flow):
        if line.command == "CLTMSG" and line.from_client:
            line["MG"] = line["MG"].upper()

A file has `on_line(line, flow)`, `on_open(flow)` and `on_close(flow)`, or some of them; what a rule
can do is in `RuleLine` and `RuleFlow`. It is read again when it changes. It runs as this program
does and may do whatever this user may: take rules only from people you trust.
"""

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from kqq.capture.events import Closed, Opened, Said
from kqq.errors import ConfigError, KQQError, LocalProtocolError
from kqq.protocol.declare import REQUESTS, RESPONSES
from kqq.protocol.fields import escape, unescape
from kqq.protocol.messages import Role
from kqq.protocol.schema import Field, Push, Request, Spec, Unreadable
from kqq.protocol.wire import Line
from kqq.proxy.passage import LONGEST_DELAY, Connection, Fate, Passage, one_line_of
from kqq.proxy.relay import Event, Relay

_HOOKS = ("on_line", "on_open", "on_close")
_LOOKED_AGAIN = 1.0  # seconds between looks at the file
_SLOW = 1.0  # seconds in a rule after which people are told
_TEXTS = ("TEXT", "PROSE")
Judge = Callable[[Passage], None]
Tell = Callable[[str, str, int], None]  # as `Relay.note`


def all_of(judges: Sequence[Judge]) -> Judge:
    """Return a judge that asks each of `judges` in turn, until one drops the line."""

    def judge(passage: Passage) -> None:
        for one in judges:
            if passage.fate is not Fate.DROPPED:
                one(passage)

    return judge


# --- orders --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Which:
    """Some lines: those of an end, with a command, of a person, or with some words in them.

    Written `CLTMSG`, `client:CLTMSG`, `server:`, `10001`, `/hello`, `client:/hello` or `*`. Whose
    number stands in `UIN` or `UN` is the person; words are sought in the text as people read it.
    """

    source: str
    sender: Role | None = None
    command: str = ""
    number: str = ""
    words: str = ""

    @classmethod
    def parse(cls, source: str) -> Self:
        """Return the lines that `source` means. Raises ConfigError."""
        what = source.strip()
        sender = None
        for role in Role:
            prefix = f"{role.value}:"
            if what.startswith(prefix):
                sender, what = role, what.removeprefix(prefix)
        if what.startswith("/") and len(what) > 1:
            return cls(source, sender, words=what[1:].casefold())
        if what.isascii() and what.isdecimal():
            return cls(source, sender, number=what)
        if what == "*" or (not what and sender is not None):
            return cls(source, sender)
        if what.isascii() and what.replace("_", "a").isalnum():
            return cls(source, sender, command=what.lower())
        raise ConfigError(
            f"{source!r} says no lines; write a command such as CLTMSG, client:CLTMSG, server:, "
            "a number such as 10001, /words, or * for all"
        )

    @property
    def is_unheard_of(self) -> bool:
        """Whether they have a command that the catalogue does not know: it may be misspelt."""
        return bool(self.command) and not (self.command in REQUESTS or self.command in RESPONSES)

    def takes(self, said: Said) -> bool:
        """Return whether a line is one of those."""
        if self.sender is not None and said.sender is not self.sender:
            return False
        if self.command:
            return said.command.lower() == self.command
        if self.number:
            pairs = said.line.pairs
            return any(
                self.number in value.split(",") for key, value in pairs if key in ("UIN", "UN")
            )
        return self.words in unescape(said.line.text).casefold()


@dataclass
class Orders:
    """What becomes of which lines, by simple orders; they may change at any time."""

    drop: list[Which] = field(default_factory=list)
    hold: list[Which] = field(default_factory=list)
    delay: list[tuple[Which, float]] = field(default_factory=list)

    @staticmethod
    def parse_delay(source: str) -> tuple[Which, float]:
        """Return the lines and the seconds of `CLTMSG=2.5`. Raises ConfigError."""
        which, _, seconds = source.rpartition("=")
        try:
            time_ = float(seconds)
        except ValueError:
            time_ = -1.0
        if not which or not 0 <= time_ <= LONGEST_DELAY:
            raise ConfigError(f"{source!r} is no delay; write a command and seconds: CLTMSG=2.5")
        return Which.parse(which), time_

    def judge(self, passage: Passage) -> None:
        """Do what is ordered: drop, or delay and hold."""
        said = passage.said
        if any(which.takes(said) for which in self.drop):
            passage.drop()
            return
        seconds = max((time_ for which, time_ in self.delay if which.takes(said)), default=0.0)
        if seconds:
            passage.delay(seconds)
        if any(which.takes(said) for which in self.hold):
            passage.hold()


# --- rules in Python -----------------------------------------------------------------------------


class RuleLine:
    """A line, as rules see it. What a rule does with it counts once the rule has ended well.

    `line["MG"]` is a field, its text unescaped, KeyError if there is none; `line["MG"] = …` changes
    it and `del line["MG"]` takes it out; all other bytes stay. Lists are as on the wire:
    `10001,10002,`. `line.text` is the whole line, as on the wire, and may be replaced, too.
    """

    def __init__(self, passage: Passage) -> None:
        self._said = passage.said
        self._line = passage.line
        self._acts: list[Callable[[Passage], None]] = []

    @property
    def command(self) -> str:
        """The command as spelled in the line, "" where it has none."""
        return self._line.values().get("CMD", "").strip()

    @property
    def sender(self) -> str:
        """Who said it: "client" or "server"."""
        return self._said.sender.value

    @property
    def from_client(self) -> bool:
        """Whether the client said it."""
        return self._said.sender is Role.CLIENT

    @property
    def from_server(self) -> bool:
        """Whether the server said it."""
        return self._said.sender is Role.SERVER

    @property
    def kind(self) -> str:
        """What it is: "request", "reply", "push" or "unreadable"."""
        message = self._said.message
        if isinstance(message, Unreadable):
            return "unreadable"
        kinds = ((Request, "request"), (Push, "push"))
        return next((word for cls, word in kinds if isinstance(message, cls)), "reply")

    @property
    def uin(self) -> int | None:
        """The number of the person at the client's end, None if it cannot be read."""
        return self._said.uin

    @property
    def over(self) -> str:
        """How it came: "tcp" or "http"."""
        return self._said.over

    @property
    def text(self) -> str:
        """The line as on the wire, without what stands before `VER=`, and without line end."""
        return self._line.text

    @text.setter
    def text(self, text: str) -> None:
        self._line = Line(one_line_of(str(text)).text, self._line.junk)

    @property
    def raw(self) -> bytes:
        """The bytes of the line, without line end."""
        return self._line.encode()

    def __repr__(self) -> str:
        return repr(self._line)

    def __contains__(self, key: str) -> bool:
        return key in self._values()

    def __getitem__(self, key: str) -> str:
        value = self._values()[key]
        return unescape(value) if self._is_text(key) else value

    def get(self, key: str, default: str = "") -> str:
        """Return a field, `default` if there is none."""
        try:
            return self[key]
        except KeyError:
            return default

    def __setitem__(self, key: str, value: str | int) -> None:
        if not key.isascii() or not key.replace("_", "a").isalnum():
            raise LocalProtocolError(f"{key!r} is no field; its name is letters, digits and _")
        self._put(key, escape(str(value)) if self._is_text(key) else _plain(key, str(value)))

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._put(key, None)

    def drop(self) -> None:
        """Never let it go."""
        self._acts.append(Passage.drop)

    def hold(self) -> None:
        """Keep it until somebody at the screen says what becomes of it."""
        self._acts.append(Passage.hold)

    def delay(self, seconds: float) -> None:
        """Let it go so many seconds later; what is behind it waits, too."""
        self._acts.append(lambda passage: passage.delay(seconds))

    def done(self, passage: Passage) -> None:
        """Do with the passage what the rule wanted; only for `Rules`."""
        if self._line != passage.line:
            passage.edit(self._line)
        for act in self._acts:
            act(passage)

    def _spec(self) -> Spec | None:
        return getattr(self._said.message, "spec", None)

    def _declared(self, key: str) -> Field | None:
        spec = self._spec()
        fields = spec.all_fields if spec is not None else ()
        return next((one for one in fields if one.key == key), None)

    def _is_text(self, key: str) -> bool:
        declared = self._declared(key)
        return declared is None or declared.kind.name in _TEXTS

    def _values(self) -> dict[str, str]:
        spec = self._spec()
        return self._line.values() if spec is None else spec.values(self._line)

    def _put(self, key: str, value: str | None) -> None:
        """Put another value in the place of one, or take the field out; other bytes stay."""
        parts = self._line.parts
        places = [at for at, part in enumerate(parts) if part.partition("=")[0].strip() == key]
        if not places:
            assert value is not None
            parts.append(f"{key}={value}")
        else:
            at = places[0]
            name, _, old = parts[at].partition("=")
            end = len(parts) if self._values().get(key) != old else at + 1  # it takes the rest
            parts[at:end] = [] if value is None else [f"{name}={value}"]
        self._line = Line(one_line_of("&".join(parts)).text, self._line.junk)


class RuleFlow:
    """A connection, as rules see it. `state` is a dict for a rule to keep something in."""

    def __init__(self, flow: Connection, tell: Tell) -> None:
        self.state = flow.state
        self.number = flow.number
        self.client = str(flow.client)
        self.server = str(flow.server)
        self.over = flow.over
        self._flow = flow
        self._tell = tell
        self._acts: list[Callable[[], object]] = []

    def to_server(self, line: str) -> None:
        """Say a line to the server that the client has not said; `line` is as on the wire."""
        self._inject(line, Role.SERVER)

    def to_client(self, line: str) -> None:
        """Say a line to the client that the server has not said; `line` is as on the wire."""
        self._inject(line, Role.CLIENT)

    def close(self) -> None:
        """End the connection, both halves of it."""
        self._acts.append(self._flow.close)

    def note(self, *words: object) -> None:
        """Tell people something."""
        self._tell("rule", " ".join(map(str, words)), self.number)

    def done(self) -> None:
        """Do what the rule wanted; only for `Rules`."""
        for act in self._acts:
            act()

    def _inject(self, line: str, to: Role) -> None:
        checked = one_line_of(str(line))
        self._acts.append(lambda: self._flow.inject(checked, to))


def _plain(key: str, value: str) -> str:
    if "&" in value or "\n" in value or "\r" in value:
        raise LocalProtocolError(f"{key}={value!r} cannot be: & and line ends would end the field")
    return value


class Rules:
    """The rules in a file, for a relay, which tells people what goes wrong and what rules print.

    A rule that fails changes nothing, and the line goes on as it came. `judge` and `watch` are to
    be given to the relay.
    """

    def __init__(
        self, path: Path, relay: Relay, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read the file. Raises ConfigError with the line that is wrong."""
        self.path = path
        self._relay = relay
        self._tell = relay.note
        self._clock = clock
        self._looked = clock()
        self._stamp = self._stamp_now()
        self._hooks = self._read()

    def judge(self, passage: Passage) -> None:
        """Ask `on_line` what becomes of a line."""
        self._look_again()
        line, flow = RuleLine(passage), RuleFlow(passage.flow, self._tell)
        if self._call("on_line", passage.flow.number, line, flow):
            self._do(passage.flow.number, flow.done)
            self._do(passage.flow.number, lambda: line.done(passage))

    def watch(self, event: Event) -> None:
        """Call `on_open` and `on_close` when a connection begins and ends."""
        if isinstance(event, Opened | Closed):
            number = event.stream.number
            flow = next(flow for flow in self._relay.flows if flow.number == number)
            self._about("on_open" if isinstance(event, Opened) else "on_close", flow)

    def _about(self, hook: str, flow: Connection) -> None:
        self._look_again()
        one = RuleFlow(flow, self._tell)
        if self._call(hook, flow.number, one):
            self._do(flow.number, one.done)

    def _do(self, stream: int, act: Callable[[], object]) -> None:
        try:
            act()
        except KQQError as error:
            self._tell("rule", f"{self.path.name}: {error}", stream)

    def _call(self, name: str, stream: int, *arguments: object) -> bool:
        """Call a hook, and return whether it ended well; there need not be one."""
        hook = self._hooks.get(name)
        if hook is None:
            return False
        begun = self._clock()
        try:
            returned = hook(*arguments)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # any mistake of a rule is told
            self._tell("rule", f"{self._place(error)}; nothing was changed", stream)
            return False
        if returned is not None:
            words = f"{name} returned {returned!r}; change the line itself, such as line.drop()"
            self._tell("rule", f"{self.path.name}: {words}", stream)
        if (took := self._clock() - begun) > _SLOW:
            words = f"{name} took {took:.1f} seconds, in which nothing else went; use line.delay()"
            self._tell("rule", f"{self.path.name}: {words}", stream)
        return True

    def _look_again(self) -> None:
        """Read the file again if it has changed; if it is wrong, what was read before stays."""
        now = self._clock()
        if now - self._looked < _LOOKED_AGAIN:
            return
        self._looked = now
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._hooks = self._read()
        except ConfigError as error:
            self._tell("rule", f"{error}; the rules stay as they were", 0)
        else:
            self._tell("rule", f"{self.path.name} was read again", 0)

    def _stamp_now(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def _read(self) -> dict[str, Callable[..., Any]]:
        try:
            source = self.path.read_bytes()
        except OSError as error:
            raise ConfigError(f"cannot read {self.path}: {error.strerror}") from error
        names: dict[str, Any] = {"__name__": "rules", "__file__": str(self.path)}
        names["print"] = lambda *words, **_: self._tell("rule", " ".join(map(str, words)), 0)
        try:
            exec(compile(source, str(self.path), "exec"), names)  # noqa: S102  # what it is for
        except SyntaxError as error:
            where = f"{self.path}, line {error.lineno}" if error.lineno else f"{self.path}"
            raise ConfigError(f"{where}: {error.msg}") from error
        except (Exception, SystemExit) as error:
            raise ConfigError(self._place(error)) from error
        hooks = {name: names[name] for name in _HOOKS if callable(names.get(name))}
        if not hooks:
            raise ConfigError(f"{self.path} has no rule; write def on_line(line, flow): …")
        return hooks

    def _place(self, error: BaseException) -> str:
        """Return what went wrong and on which line of the file."""
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame.lineno for frame in frames if frame.filename == str(self.path)]
        where = f"{self.path.name}, line {own[-1]}" if own else self.path.name
        return f"{where}: {type(error).__name__}: {error}"
