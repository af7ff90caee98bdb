"""A play as a script for a server: what it is asked, what it answers, what it says unasked."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from kqq.plays.performance import KINDS, PUSHES
from kqq.protocol import Line, Status, escape
from kqq.protocol.transcript import Play, Statement, Template, known_places

LOGIN = "login"
_FREE = {"VER", "CON", "SEQ", "SID", "XP", "UIN"}
"""Fields of a request that may be otherwise than in the play; the number is looked at apart."""
_CLOSE = {"LOGIN": {"PS", "M5", "LG", "ST", "LC", "GD", "CKE", "COMP"}}
"""Fields that decide between several lines, and rule none out: who signs in has another phone."""
OF_PASSWORD = 10
"""How much a wrong password counts, among all that may be unlike."""
_PLACE = re.compile(r"\{\{|\}\}|\{(\w+)\}")


@dataclass(slots=True, eq=False)
class Cue:
    """Something a server says: to whom, and what; `number` is the line in the play."""

    number: int
    actor: str
    template: Template
    is_push: bool


@dataclass(slots=True, eq=False)
class Ask:
    """Something a server is asked, and all it says then, in order. `uses` counts how often.

    `number` and `source` are the line in the play.
    """

    number: int
    source: str
    actor: str
    template: Template
    cues: list[Cue] = field(default_factory=list)
    uses: int = 0

    @property
    def command(self) -> str:
        """The command, in lower case."""
        return _command(self.template)


def make_script(play: Play) -> list[Ask]:
    """Return what a server is asked in a play, in order, each with what it says upon it.

    An answer belongs to the first line of the same command that has none; what is said unasked to
    whatever was asked last, by anybody.
    """
    script: list[Ask] = []
    unanswered: list[Ask] = []
    for one in play.statements:
        if one.verb == "receives nothing":
            unanswered = [ask for ask in unanswered if ask.actor != one.actor]
        elif one.verb == ">":
            asked = [
                Ask(one.number, one.source, one.actor, template) for template in _split(one.line)
            ]
            script += asked
            unanswered += asked
        elif one.verb == "<" and _command(one.line) not in PUSHES:
            answer = Cue(one.number, one.actor, one.line, is_push=False)
            if (ask := _asked(answer, unanswered, script)) is not None:
                ask.cues.append(answer)
                unanswered = [other for other in unanswered if other is not ask]
        elif (pushed := _pushed(one)) is not None:
            if script:
                cue = Cue(one.number, one.actor, pushed, is_push=True)
                script[-1].cues.append(cue)
        else:
            for asks, answers in _verb(one):
                cue = Cue(one.number, one.actor, _template(answers), is_push=False)
                template = _template(asks, more=True)
                script.append(Ask(one.number, one.source, one.actor, template, [cue]))
    return script


def pairs(template: Template) -> list[tuple[str, str]]:
    """Return the fields of a template as written, with their places."""
    if template.exact is not None:
        return Line.decode(template.exact).pairs
    return Line(template.raw).pairs if template.raw is not None else list(template.fields)


def unlikeness(
    asked: Template, line: Line, bound: Mapping[str, str], *, absent: Collection[str] = ()
) -> int | None:
    """Return how unlike a line is, 0 for as asked, None if a field is otherwise that must not be.

    `bound` are numbers and words by name. The number of who says the line is not looked at; people
    who are `absent` may have any number, which is unlike if it is another.
    """
    wanted = dict(reversed(pairs(asked)))
    values = dict(reversed(line.pairs))
    command = wanted.get("CMD", "").strip().upper()
    if command != values.get("CMD", "").strip().upper():
        return None
    if not command:
        return None if line.text != known_places(_text(asked), bound) else 0
    is_close = _CLOSE.get(command, set())
    free = {name: number for name, number in bound.items() if name not in absent}
    found = int(wanted.get("VER", "") not in {"", values.get("VER", "")})
    for key in (wanted | values).keys() - _FREE - {"CMD"}:
        if key not in wanted and asked.more:
            continue
        if _is_like(key, wanted.get(key), values.get(key), bound):
            continue
        is_somebody = values.get(key) in free.values()  # who is here has one number
        may_be = not is_somebody and _is_like(key, wanted.get(key), values.get(key), free)
        if key not in is_close and not may_be:
            return None
        found += OF_PASSWORD if key == "PS" else 1
    return found


def met(asked: Template, line: Line, absent: Collection[str]) -> dict[str, str]:
    """Return the numbers that a line gives people of the play who are absent, by name."""
    values = dict(reversed(line.pairs))
    found = {}
    for key, value in pairs(asked):
        place = _PLACE.fullmatch(value)
        number = values.get(key, "")
        if place is not None and place[1] in absent and number.isascii() and number.isdigit():
            found[place[1]] = number
    return found


def _text(template: Template) -> str:
    if template.exact is not None:
        return Line.decode(template.exact).text
    return template.raw or "&".join(f"{key}={value}" for key, value in template.fields)


def differing(asked: Template, line: Line, bound: Mapping[str, str]) -> str:
    """Return the first field that is otherwise than asked, as `UN=10002`, or "" for none."""
    values = dict(reversed(line.pairs))
    for key, value in pairs(asked):
        if key not in _FREE | {"CMD"} and not _is_like(key, value, values.get(key), bound):
            return f"{key}={known_places(value, bound)}"
    extra = [key for key, _ in line.pairs if key not in _FREE | dict(pairs(asked)).keys()]
    return f"no {extra[0]}" if extra else ""


def _is_like(key: str, wanted: str | None, value: str | None, bound: Mapping[str, str]) -> bool:
    if wanted is None or value is None:
        return (wanted or value or "").strip() == ""  # empty, or not there: clients differ
    pattern, position = "", 0
    for found in _PLACE.finditer(wanted):
        pattern += re.escape(wanted[position : found.start()])
        position = found.end()
        if found[1] is None:
            pattern += re.escape(found[0][0])
        else:
            pattern += re.escape(bound[found[1]]) if found[1] in bound else "[^&]*"
    pattern += re.escape(wanted[position:])
    flags = re.IGNORECASE | re.DOTALL if key == "PS" else re.DOTALL
    return re.fullmatch(pattern, value, flags) is not None


def _asked(cue: Cue, unanswered: list[Ask], script: list[Ask]) -> Ask | None:
    """Return what a line answers."""
    own = [ask for ask in unanswered if ask.actor == cue.actor]
    answer = dict(reversed(pairs(cue.template)))
    command, seq = answer.get("CMD", "").strip().lower(), answer.get("SEQ")
    answered = {LOGIN, "verifycode"} if command in {LOGIN, "verifycode"} else {command}
    same = [ask for ask in own if ask.command in answered]
    numbered = [ask for ask in same if seq is not None and ("SEQ", seq) in pairs(ask.template)]
    if own:
        return (numbered or same or own)[0]
    return next((ask for ask in reversed(script) if ask.actor == cue.actor), None)


def _command(template: Template) -> str:
    return dict(reversed(pairs(template))).get("CMD", "").strip().lower()


def _pushed(one: Statement) -> Template | None:
    """Return what a server says unasked, None if the statement tells nothing of that kind."""
    if one.verb == "<":
        return one.line
    if one.verb in KINDS:
        return _message(one)
    if one.verb == "sees":
        status = Status[one.words.upper()].value
        return _template(f"CMD=update_stat&SEQ={{any}}&RES=0&ST={status}&UN={{{one.other}}}")
    return None


def _verb(one: Statement) -> list[tuple[str, str]]:
    """Return what is said for a verb, and what is answered, each as fields with `&` between."""
    to, text = f"UN={{{one.other}}}", _literal(escape(one.text))
    passed_on = "CMD=ACK_ADDTOLIST&RES=0"
    match one.verb:
        case "signs in":
            status = _status(one.words or "online")
            return [(f"CMD=Login&{status}", _SIGNED_IN)]
        case "signs out":
            return [("CMD=Logout", "CMD=LOGOUT&RES=0")]
        case "sends":
            return [(f"CMD=CLTMSG&{to}&MG={text}", "CMD=CLTMSG&RES=0")]
        case "asks":
            return [
                (f"CMD=AddToList&{to}", "CMD=ADDTOLIST&RES=0&CD=1"),
                (f"CMD=Ack_AddToList&{to}&CD=2&RS={text}", passed_on),
            ]
        case "accepts":
            return [(f"CMD=Ack_AddToList&{to}&CD=0&RS=", passed_on)]
        case "refuses":
            return [(f"CMD=Ack_AddToList&{to}&CD=1&RS={text}", passed_on)]
        case _:  # what is done elsewhere, and what does not come
            return []


_SIGNED_IN = "CMD=Login&RES=0&RS=0&HI=60&LI=300&SG={any}&SSG={any}"


def _status(word: str) -> str:
    status = Status[word.upper()]
    if status is Status.HIDDEN:
        return "PS={password}&LG=40"
    more = "" if status is Status.ONLINE else f"&ST={status.value}"
    return f"PS={{password}}&LG=0{more}"


def _message(one: Statement) -> Template:
    text = _literal(escape(one.text))
    kind = KINDS[one.verb]
    return _template(
        f"CMD=Server_Msg&SEQ={{any}}&RES=0&MN=1&MT={kind}&UN={{{one.other}}}&MG={text}"
    )


def _template(text: str, *, more: bool = False) -> Template:
    parts = (part.partition("=") for part in text.split("&"))
    return Template(fields=tuple((key, value) for key, _, value in parts), more=more)


def _split(template: Template) -> list[Template]:
    """Return a template for each line of one that has several."""
    if template.exact is None:
        return [template]
    # A length before a line may hold an LF, which leaves a fragment that is no line (ZN QB).
    lines = [line for line in template.exact.split(b"\n") if len(line) > 2 or b"=" in line]
    return [Template(exact=line + b"\n") for line in lines]


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
