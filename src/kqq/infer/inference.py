"""The whole way, from bytes to findings; nothing here knows any protocol.

1. `sample`: a bounded part of what there is, by whole connections.
2. `cutting`, `framing`: where messages end, from the pauses.
3. `parts`: what divides a message into fields.
4. `relations`: which field names the kind of a message, and which reply answers which request.
5. `kinds`, `noticing`: what each field holds, and how it goes with others.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from kqq.infer.cutting import cut
from kqq.infer.findings import Fact, Field, Findings, MessageKind, Naming, Pairing
from kqq.infer.kinds import ListShape, Proposal, propose
from kqq.infer.noticing import (
    constant_or_choices,
    counter,
    echo,
    same_numbers,
    spelling,
    steady,
)
from kqq.infer.parts import Blank, Message, Notation, Pairs, Words, divide
from kqq.infer.relations import (
    Pair,
    find_naming,
    find_naming_by_echo,
    find_pairing,
    kind_of,
    seconds_between,
)
from kqq.infer.sample import BUDGET, CLIENT, StreamEvent, gather
from kqq.infer.table import Table, count_in_order
from kqq.infer.together import (
    find_lists,
    late_lists,
    note_conditions,
    note_lists,
    note_sizes,
    note_usual_counts,
)

_MOST_KINDS = 200
_SHARED = 0.8  # of the kinds of a role have a field that belongs to all
_ASKED = 0.1  # of messages; if fewer were asked for, they are sent unasked
_PAIRS = 2000
_CODES = 5  # values that are rather codes than names of somebody
_PLAIN = ("constant", "choices", "steady")
_LONGEST_EXAMPLE = 400


def infer(events: Iterable[StreamEvent], *, budget: int = BUDGET) -> Findings:
    """Find out what can be found out from `events`; `budget` bytes of them are looked at."""
    sample = gather(events, budget=budget)
    framed = cut(sample.talks)
    divided = divide(framed.messages)
    messages = divided.messages
    naming = find_naming(messages, divided.notation)
    is_framed = framed.http > 0 or any(framed.framings.values())
    pairing, pairs = find_pairing(messages, is_framed=is_framed)
    naming = find_naming_by_echo(messages, pairs, naming)
    inferring = _Inferring(messages, divided.notation, naming, pairing, pairs)
    kinds = inferring.kinds()
    shared = {} if isinstance(divided.notation, Words) else inferring.shared(kinds)
    inferring.common_numbers(kinds, shared)
    junk = _junk(messages)
    return Findings(sample, framed, divided, naming, pairing, shared, kinds, junk)


class _Inferring:
    """What is looked up again and again while fields are described."""

    def __init__(
        self,
        messages: Sequence[Message],
        notation: Notation,
        naming: Naming,
        pairing: Pairing | None,
        pairs: Sequence[Pair],
    ) -> None:
        self._messages = messages
        self._notation = notation
        self._naming = naming
        self._token = pairing.field if pairing is not None else ""
        self._asked_by = {reply: request for request, reply in pairs}
        self._has_pairs = pairing is not None
        self._groups: dict[tuple[str, str], list[int]] = {}
        self._signs: set[ListShape] = set()

    def kinds(self) -> list[MessageKind]:
        """Return all kinds of messages, each with all its fields, frequent ones first."""
        by_name: dict[tuple[int, str], list[int]] = defaultdict(list)
        for place, message in enumerate(self._messages):
            by_name[message.who, kind_of(message, self._naming)].append(place)
        ranked = sorted(by_name.items(), key=lambda one: (one[0][0], -len(one[1]), one[0][1]))
        kinds = []
        for (who, name), places in ranked[:_MOST_KINDS]:
            kind = self._kind(who, name, places)
            self._groups[kind.role, name] = places
            kinds.append(kind)
        self._learn_signs(kinds)
        counting = {one.name for kind in kinds for one in kind.fields if one.fact("counts")}
        for kind in kinds:
            self._late(kind, counting)
        return kinds

    def _learn_signs(self, kinds: Sequence[MessageKind]) -> None:
        """Find the signs of lists in all messages of a role, where each kind came but seldom."""
        for role in {kind.role for kind in kinds} if isinstance(self._notation, Pairs) else ():
            places = [self._groups[role, kind.name] for kind in kinds if kind.role == role]
            table = Table([self._messages[place] for own in places for place in own])
            for field in table.fields.values():
                field.proposal = propose(field.values)
            self._signs |= {shape for shape in find_lists(table).values() if shape.trailing}

    def _kind(self, who: int, name: str, places: Sequence[int]) -> MessageKind:
        own = [self._messages[place] for place in places]
        asked = [place for place in places if place in self._asked_by]
        role = self._role(who, len(asked), len(places))
        field = self._naming.fields[who]
        spellings = Counter(message.get(field) or "" for message in own) if field else Counter([""])
        kind = MessageKind(role, name, len(own), spellings)
        kind.named_by = field
        kind.in_order = count_in_order(own)
        kind.example = max(own[:50], key=lambda message: len(message.names)).text[:_LONGEST_EXAMPLE]
        pairs = [(self._asked_by[place], place) for place in asked]
        for request, _ in pairs:
            kind.answers[kind_of(self._messages[request], self._naming)] += 1
        kind.seconds = seconds_between(self._messages, pairs)
        kind.fields = self._fields(own, pairs[:_PAIRS] if role == "reply" else [])
        return kind

    def _role(self, who: int, asked: int, count: int) -> str:
        if not self._has_pairs:
            return "request" if who == CLIENT else "message"
        if who == CLIENT:
            return "request"
        return "push" if asked < _ASKED * count else "reply"

    def shared(self, kinds: Sequence[MessageKind]) -> dict[str, list[Field]]:
        """Return the fields that nearly all kinds of a role have, taken together.

        They are taken out of the kinds.
        """
        found = {}
        for role in ("request", "reply", "push", "message"):
            own = [kind for kind in kinds if kind.role == role]
            if len(own) < 2:  # sharing takes two
                continue
            has = Counter(field.name for kind in own for field in kind.fields)
            names = {name for name, count in has.items() if count >= _SHARED * len(own)}
            places = sorted(place for kind in own for place in self._groups[role, kind.name])
            messages = [self._messages[place] for place in places]
            pairs = [(self._asked_by[place], place) for place in places if place in self._asked_by]
            pairs = pairs[:: len(pairs) // _PAIRS + 1]
            fields = self._fields(messages, pairs if role == "reply" else [], names)
            if isinstance(self._notation, Blank):
                fields = [field for field in fields if field.facts]
            same = {field.name for field in fields if _agrees(field, own)}
            found[role] = [field for field in fields if field.name in same]
            for kind in own:
                kind.fields = [field for field in kind.fields if field.name not in same]
        return found

    def _fields(
        self, messages: Sequence[Message], pairs: Sequence[Pair], only: set[str] | None = None
    ) -> list[Field]:
        """Return the fields of these messages, in the order they usually stand in."""
        if isinstance(self._notation, Words):
            messages = _with_rest(messages, self._notation.divider)
        table = Table(messages, only)
        if isinstance(self._notation, Blank):
            _note_bytes(table)
        else:
            self._note(table)
        asked = [self._named(request) for request, _ in pairs]
        answers = [self._named(reply) for _, reply in pairs]
        for name, field in table.fields.items() if pairs else ():
            column = [answer.get(name) for answer in answers]
            if name and (fact := echo(asked, column, name)) is not None:
                field.facts = [other for other in field.facts if other.name != "counter"]
                field.facts.append(fact)
        return table.in_order()

    def _named(self, place: int) -> dict[str, str]:
        message = self._messages[place]
        return dict(zip(reversed(message.names), reversed(message.values), strict=True))

    def _note(self, table: Table) -> None:
        """Propose kinds for the fields of a table, and note what they do."""
        for name, field in table.fields.items():
            field.proposal = propose(field.values, is_token=bool(name) and name == self._token)
        lists = find_lists(table)
        self._signs |= {shape for shape in lists.values() if shape.trailing}
        note_lists(table, table.fields, lists)
        note_sizes(table)
        note_conditions(table)
        for name, field in table.fields.items():
            field.facts += [] if name in lists else _of_one(field, table)
            field.facts += spelling(field)

    def _late(self, kind: MessageKind, counting: set[str]) -> None:
        """Make lists of fields that end with a sign that ends the items of lists elsewhere.

        And believe numbers called as those in `counting`, which tell how long lists are elsewhere.
        """
        fields = {field.name: field for field in kind.fields}
        lists = late_lists(fields, self._signs)
        if not lists and counting.isdisjoint(fields):
            return
        places = self._groups[kind.role, kind.name]
        table = Table([self._messages[place] for place in places], fields)
        for name in lists:
            fields[name].facts = [one for one in fields[name].facts if one.name not in _PLAIN]
        note_lists(table, fields, lists)
        note_usual_counts(table, fields, counting)

    def common_numbers(
        self, kinds: Sequence[MessageKind], shared: Mapping[str, Sequence[Field]]
    ) -> None:
        """Note which fields have numbers that say elsewhere who is there."""
        known: dict[str, set[str]] = defaultdict(set)
        for fields in shared.values():
            for field in fields:
                if field.fact("steady"):
                    known[field.name] |= set(field.values)
        for fields in [*shared.values(), *(kind.fields for kind in kinds)]:
            for field in fields:
                if "UINT" in field.proposal.kind and (fact := same_numbers(field, known)):
                    field.facts = [one for one in field.facts if one.name not in _PLAIN]
                    field.facts.append(fact)


def _with_rest(messages: Sequence[Message], divider: str) -> Sequence[Message]:
    """Return messages with as many words as all have; the last is the rest of the line."""
    fewest = min(len(message.names) for message in messages)
    if fewest == max(len(message.names) for message in messages):
        return messages
    return [
        replace(
            message,
            names=(*message.names[: fewest - 1], f"word {fewest} and on"),
            values=(*message.values[: fewest - 1], divider.join(message.values[fewest - 1 :])),
        )
        for message in messages
    ]


def _note_bytes(table: Table) -> None:
    """Note what the first bytes of binary messages do, or that messages are one text."""
    for name, field in table.fields.items():
        is_byte = "byte" in name
        kind = "BYTE" if is_byte else "TEXT" if name == "text" else "BYTES"
        field.proposal = Proposal(kind, field.seen, field.seen)
        if is_byte:
            steps = counter(table.peers, table.columns[name], 16)
            values = constant_or_choices(field), steady(table.peers, table.columns[name])
            facts = values if steps is None else (steps,)
            field.facts += [fact for fact in facts if fact is not None]


def _of_one(field: Field, table: Table) -> list[Fact]:
    """Return what is noticed of a field by itself, from message to message."""
    values = constant_or_choices(field)
    if values is not None and values.detail.get("different", 1) <= _CODES:
        return [values]
    column = table.columns[field.name]
    rest = steady(table.peers, column)
    if rest is None and field.proposal.kind in ("UINT", "DIGITS"):
        rest = counter(table.peers, column)
    fact = rest or values
    return [] if fact is None else [fact]


def _agrees(shared: Field, kinds: Sequence[MessageKind]) -> bool:
    """Whether a field means the same in all kinds that have it, as far as can be seen."""
    own = [field for kind in kinds for field in kind.fields if field.name == shared.name]
    lists = {field.proposal.kind.startswith(("LIST", "PLAIN_LIST")) for field in own}
    return len(lists) == 1 and not lists.pop()


def _junk(messages: Sequence[Message]) -> tuple[int, int]:
    """Return how many messages have bytes before their first name, and in how many these count.

    They may count the line end, which is no longer there.
    """
    with_junk = [message for message in messages if message.junk]
    telling = 0
    for message in with_junk:
        size = len(message.text.encode("utf-8", "surrogateescape")) - len(message.junk)
        seven_bits = 0
        for place, byte in enumerate(message.junk[:4]):
            seven_bits |= (byte & 127) << 7 * place
        told = {seven_bits, int.from_bytes(message.junk[:4], "big")}
        telling += not told.isdisjoint(range(size, size + 3))
    return len(with_junk), telling
