"""What was inferred of a protocol, in words: each step with its evidence, so that it teaches."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.cells import set_cell_size

from kqq.cli.group import paragraph
from kqq.cli.noticed import (
    LEFT,
    Veil,
    bytes_shown,
    field_lines,
    headed,
    in_turn,
    kind_lines,
    legend,
    role_name,
    said,
    share,
    shared_title,
    sign_shown,
    spelled,
)
from kqq.words import one_line, tr, tr_n

if TYPE_CHECKING:
    from kqq.infer import Findings
    from kqq.infer.against import Comparison
    from kqq.infer.framing import Framing
    from kqq.infer.parts import Message

_DENSE = 7.0  # bits of a byte; text and most binary protocols have less


def tell(findings: "Findings", veil: Veil) -> Iterator[str]:
    """Yield the lines of a report."""
    yield from _looked_at(findings)
    if findings.is_empty:
        yield _conclusion(tr("There is nothing here that could be taken apart."))
        return
    yield from _framing(findings)
    yield from _division(findings, veil)
    if not findings.found_something:
        yield from _nothing(findings)
        return
    yield from _naming(findings)
    yield from _pairing(findings)
    yield from headed(tr("How to read what follows"))
    yield said(
        tr("Each field has its name; the kind of its values; the share of values that agree with "
           "this kind; the share of messages that have the field; and some values. Below stands "
           'what was noticed, with "(7 of 8)" where it is not always so.')
    )  # fmt: skip
    for role, fields in findings.shared.items():
        if fields:
            yield from headed(shared_title(role))
            yield from field_lines(fields, veil)
    yield from headed(tr("The messages, one kind after the other"))
    names = {kind.name: spelled(kind, veil) for kind in findings.kinds if kind.role == "request"}
    for kind in in_turn(findings.kinds):
        yield from kind_lines(kind, names, veil)
    yield from legend(findings)


def _conclusion(text: str) -> str:
    return paragraph(text, f"{LEFT}=> ")


def _size(count: int) -> str:
    return f"{count / 1024:.1f} KiB" if count < 1 << 20 else f"{count / (1 << 20):.1f} MiB"


# --- the steps -----------------------------------------------------------------------------------


def _looked_at(findings: "Findings") -> Iterator[str]:
    sample, framed = findings.sample, findings.framed
    yield from headed(tr("What was looked at"))
    yield said(
        tr_n("{all} connection with {size}; looked at: {some} with {looked}.",
             "{all} connections with {size}; looked at: {some} with {looked}.",
             sample.connections),
        all=sample.connections, size=_size(sample.whole), some=len(sample.talks),
        looked=_size(sample.size),
    )  # fmt: skip
    if not sample.is_all:
        yield said(
            tr("That is a sample: whole connections, evenly chosen, from their beginnings. "
               "--sample takes more.")
        )  # fmt: skip
    if framed.http:
        yield said(
            tr("{count} connections carry HTTP. It is unpacked: what counts are the bodies, and "
               "queries of requests without one."), count=framed.http,
        )  # fmt: skip
    reasons: dict[str, list[int]] = {}
    for number, why in framed.misfits.items():
        reasons.setdefault(why, []).append(number)
    for why, numbers in reasons.items():
        shown = ", ".join(map(str, numbers[:8])) + (", …" if len(numbers) > 8 else "")
        yield said(
            tr("Left out: {count} connections ({numbers}): {why}."),
            count=len(numbers), numbers=shown, why=why,
        )  # fmt: skip
    if framed.cut_short:
        yield said(tr("There are more messages than are looked at."))


def _framing(findings: "Findings") -> Iterator[str]:
    framed = findings.framed
    yield from headed(tr("Where a message ends"))
    yield said(
        tr("Whoever has said all stops, and the other end speaks or time goes by. What lies "
           "between two such pauses is one message, or several.")
    )  # fmt: skip
    client, server = (framed.framings.get(who) for who in (0, 1))
    if framed.raw and client == server and not _is_ends(client):
        yield from _framing_of(tr("both ends"), client)
    elif framed.raw:
        yield from _framing_of(tr("the client"), client)
        yield from _framing_of(tr("the server"), server)
    if framed.broken:
        yield said(
            tr("{count} pieces are no whole messages: the capture begins or ends inside them."),
            count=framed.broken,
        )
    messages = findings.divided.messages
    asked = sum(message.who == 0 for message in messages)
    yield _conclusion(
        tr("{count} messages: {client} of clients, {server} of the server.").format(
            count=len(messages), client=asked, server=len(messages) - asked
        )
    )


def _is_ends(framing: "Framing | None") -> bool:
    return hasattr(framing, "sign")


def _framing_of(who: str, framing: "Framing | None") -> Iterator[str]:
    from kqq.infer.framing import Counted, Ends

    if framing is None:
        yield said(
            tr("For {who} nothing was found: no sign ends the bursts, no number tells how long "
               "they are. Each burst is taken for a message."), who=who,
        )  # fmt: skip
        return
    cases = {"who": who, "agree": framing.agree, "of": framing.of}
    if isinstance(framing, Ends):
        yield said(
            tr("For {who}, {sign} stands before {agree} of {of} pauses: it ends messages."),
            sign=bytes_shown(framing.sign), **cases,
        )  # fmt: skip
        if framing.maybe:
            yield said(
                tr("Before it stands {maybe} {some} of {count} times: writers have two habits."),
                maybe=bytes_shown(framing.maybe), some=framing.with_maybe, count=framing.count,
            )  # fmt: skip
        if framing.count > framing.of:
            yield said(
                tr("It occurs {count} times: some bursts have several messages."),
                count=framing.count,
            )
    elif isinstance(framing, Counted):
        forms = {
            "big": tr("{width} bytes, the highest first"),
            "little": tr("{width} bytes, the lowest first"),
            "7-bit": tr("bytes of which the highest bit says that another follows"),
            "decimal": tr("decimal digits"),
        }
        yield said(
            tr("For {who}, a number after {offset} bytes ({form}) plus {extra} is how long the "
               "message is: {agree} of {of} times that leads to the pause."),
            offset=framing.offset, form=forms[framing.form].format(width=framing.width),
            extra=framing.extra, **cases,
        )  # fmt: skip
    else:
        yield said(
            tr("For {who}, {agree} of {of} bursts have {size} bytes, or a multiple of that."),
            size=framing.size,
            **cases,
        )


def _division(findings: "Findings", veil: Veil) -> Iterator[str]:
    from kqq.infer.parts import Pairs, Words

    divided = findings.divided
    notation = divided.notation
    yield from headed(tr("What a message is made of"))
    longest = max(divided.messages[:400], key=_telling)
    if isinstance(notation, Pairs):
        yield said(
            tr("With {divider} between parts and {assign} after a name, {agree} of {of} parts "
               "begin with a name that comes again; there are {names} such names. No other signs "
               "explain more. One message, cut so:"),
            divider=sign_shown(notation.divider), assign=sign_shown(notation.assign),
            agree=notation.agree, of=notation.of, names=notation.names,
        )  # fmt: skip
        for name, value in list(zip(longest.names, longest.values, strict=True))[:24]:
            shown = one_line(veil.value(name, value), 60)
            yield f"{LEFT}   {one_line(name, 20)} {one_line(notation.assign, 3)} {shown}".rstrip()
        yield _conclusion(tr("Messages are pairs of names and values."))
    elif isinstance(notation, Words):
        yield said(
            tr("With {divider} between words, {agree} of {of} messages have a first or second "
               "word that comes again. One message, cut so:"),
            divider=sign_shown(notation.divider), agree=notation.agree, of=notation.of,
        )  # fmt: skip
        for value in longest.values:
            yield f"{LEFT}   {one_line(veil.text(value), 70)}"
        yield _conclusion(tr("Messages are words in a row; their place says what they are."))
    elif notation.is_text:
        yield _conclusion(tr("They are text, and no signs divide it in a way that comes again."))
    else:
        yield _conclusion(tr("They are no text. Their first bytes are looked at place by place."))
    texts = {
        "ascii": tr("All bytes are ASCII."),
        "utf-8": tr("Beyond ASCII, the bytes are UTF-8."),
        "gb18030": tr("Beyond ASCII, the bytes are no UTF-8, but they are GB 18030 (GBK)."),
    }
    if divided.encoding in texts:
        yield said(texts[divided.encoding])
    if divided.unfit:
        yield said(
            tr_n("{count} message is none of these: {example}",
                 "{count} messages are none of these, such as: {example}", divided.unfit),
            count=divided.unfit, example=one_line(veil.text(divided.unfit_example), 60),
        )  # fmt: skip
    junk, telling = findings.junk
    if junk:
        yield said(
            tr_n("{count} message has bytes before its first name.",
                 "{count} messages have bytes before their first name.", junk) + " "
            + tr("In {telling} of {count} these are the length of what follows: a habit of some "
                 "program."),
            count=junk, telling=telling,
        )  # fmt: skip


def _nothing(findings: "Findings") -> Iterator[str]:
    """Yield that no structure was found, and what that may mean."""
    yield from headed(tr("What was not found"))
    bits = findings.divided.bits
    yield said(
        tr("No length, and no signs that come again, divide these messages. A byte holds "
           "{bits:.1f} of 8 bits: {meaning}."),
        bits=bits,
        meaning=tr("they look encrypted or compressed, or by chance") if bits > _DENSE
        else tr("they are not, it seems, encrypted or compressed"),
    )  # fmt: skip
    yield _conclusion(tr("Nothing can be said of how these messages are made."))


def _telling(message: "Message") -> float:
    """Return how good an example a message is: many values, none empty, and not too long."""
    empty = message.values.count("")
    return min(len(message.values) - empty, 9) - empty - len(message.text) / 60


def _naming(findings: "Findings") -> Iterator[str]:
    naming = findings.naming
    yield from headed(tr("Which field names the kind of a message"))
    if naming.tried:
        yield said(
            tr("A field that names kinds has few values, and they go with what else is in the "
               "message. How much each tells of that, from 0 to 1:")
        )  # fmt: skip
    for name, score, values in naming.tried:
        times = tr_n("{count} value", "{count} values", values).format(count=values)
        yield f"{LEFT}   {set_cell_size(one_line(name, 20), 20)} {score:.2f}   {times}"
    client, server = naming.fields[0], naming.fields[1]
    if naming.by_echo:
        yield said(
            tr("Where that does not tell, there is {name}: a word in all messages, that replies "
               "repeat."), name=client,
        )  # fmt: skip
    if client == server:
        yield _conclusion(
            tr("It is {name}.").format(name=client) if client
            else tr("No field does. All messages of an end are taken together.")
        )  # fmt: skip
        return
    nothing = tr("no field")
    yield _conclusion(
        tr("For clients it is {client}, for the server {server}.").format(
            client=client or nothing, server=server or nothing
        )
    )


def _pairing(findings: "Findings") -> Iterator[str]:
    pairing = findings.pairing
    yield from headed(tr("Which reply belongs to which request"))
    if pairing is None:
        yield _conclusion(tr("Nothing shows that: no field is repeated, and nobody waits."))
        return
    if pairing.field:
        yield _conclusion(
            tr("{agree} of {of} requests were followed by a message with the same {name}, which "
               "is another one in each request of a connection.").format(
                agree=pairing.agree, of=pairing.of, name=pairing.field)
        )  # fmt: skip
    else:
        yield _conclusion(
            tr("{agree} of {of} requests were followed by one message: the order tells.").format(
                agree=pairing.agree, of=pairing.of)
        )  # fmt: skip
    pushes = sum(kind.count for kind in findings.kinds if kind.role == "push")
    if pushes:
        words = tr_n(
            "{count} message came that nobody had asked for.",
            "{count} messages came that nobody had asked for.", pushes,
        )  # fmt: skip
        yield said(words, count=pushes)


# --- beside the catalogue ------------------------------------------------------------------------


def tell_comparison(comparison: "Comparison", veil: Veil) -> Iterator[str]:
    """Yield what the catalogue says otherwise, or does not explain."""
    total = len(comparison.compared)
    right = total - len(comparison.misses)
    yield from headed(tr("Beside the catalogue"))
    if not total:
        yield _conclusion(tr("None of these messages is in the catalogue."))
        return
    yield _conclusion(
        tr("{right} of {total} fields ({share}) have the kind that the catalogue gives "
           "them.").format(right=right, total=total, share=share(right, total))
    )  # fmt: skip
    for miss in comparison.misses:
        some = [one_line(veil.value(miss.key, value), 16) for value in miss.values]
        yield said(
            tr("{role} {command} {key}: the catalogue says {declared}, these lines say "
               "{inferred}: {values}"),
            role=role_name(miss.role), command=miss.command or tr("(all)"), key=miss.key,
            declared=miss.declared, inferred=miss.inferred, values=" ".join(dict.fromkeys(some)),
        )  # fmt: skip
    yield from headed(tr("What the catalogue does not explain"))
    nothing = True
    for kind in comparison.unknown_kinds:
        nothing = False
        yield said(
            tr("{name} [{role}], {count} times: there is no such message in it."),
            role=role_name(kind.role), name=spelled(kind, veil), count=kind.count,
        )  # fmt: skip
    parts = (
        (comparison.unknown_fields, tr("{where}: the field {key} is not in it: {values}")),
        (comparison.unreadable, tr("{where}: these values of {key} cannot be read: {values}")),
        (comparison.other_codes, tr("{where}: these codes of {key} have no name: {values}")),
    )
    for rows, text in parts:
        for where, key, values in rows:
            nothing = False
            shown = " ".join(one_line(veil.value(key, value), 24) or '""' for value in values)
            yield said(text, where=one_line(where, 40), key=one_line(key, 24), values=shown)
    if nothing:
        yield said(tr("Nothing: every message, field and value has its place there."))
    if comparison.absent:
        names = ", ".join(sorted({name for _, name in comparison.absent}))
        yield said(tr("Not in these lines: {names}."), names=names)
