"""`kqq friends`, `add`, `accept`, `refuse`, `delete`, `profile` and `search`: who is who."""

import sys
from typing import TYPE_CHECKING, Any

import click
from rich.cells import cell_len, set_cell_size

from kqq.cli.completing import complete_people
from kqq.cli.group import confirm, json_option, main, paragraph, print_json, show
from kqq.cli.session import Session, run
from kqq.cli.signing_in import SignIn, client_options
from kqq.errors import NotSignedIn, Refused
from kqq.words import Exit, printable, profile_rows, tr

if TYPE_CHECKING:
    from kqq.protocol import GetInfoReply

_FACES = 3  # codes that stand for one picture (HACK)
_SEXES = {"male": "0", "female": "1"}
who_argument = click.argument("who", metavar="WHO", shell_complete=complete_people)


@main.command(short_help="List your friends.")
@client_options
@json_option
def friends(signing: SignIn, *, as_json: bool) -> None:
    """List friends: number, status, nickname.

    Messages that waited for you come with the sign-in; they are shown on standard error.
    """

    async def work(session: Session) -> None:
        from kqq.telling import friends as listed

        await session.roster()
        show(
            listed(session.me.state),
            lambda one: (f"{one['uin']:<10} {one['status']:<15} {one['nick']}",),
            none=tr("no friends yet; kqq add NUMBER asks somebody"),
            as_json=as_json,
        )

    run(signing, work)


@main.command(short_help="Add somebody to your friends.")
@client_options
@click.argument("who", metavar="NUMBER")
@click.option(
    "--say", "words", metavar="TEXT", help="What to say to somebody who wants to be asked."
)
@json_option
def add(signing: SignIn, *, who: str, words: str | None, as_json: bool) -> None:
    """Add NUMBER to your friends, or ask whether they want that.

    There are three answers. Somebody is added at once, or wants to be asked: with --say they are,
    without it nothing happens yet. Or they want to be added by nobody: exit code 1.
    """
    from kqq.client import Added

    outcome: list[str] = []

    async def work(session: Session) -> None:
        uin = await session.number(who)
        answer = await session.me.add(uin)
        if answer is Added.ASK and words is not None:
            await session.me.request(uin, words)
        told = {
            Added.DONE: ("added", tr("{who} is your friend now.")),
            Added.REFUSED: ("refused", tr("{who} wants to be added by nobody.")),
            Added.ASK: ("asked", tr("{who} is asked; the answer comes as a message."))
            if words is not None
            else ("ask", tr("{who} wants to be asked: kqq add {who} --say TEXT")),
        }
        outcome[:] = told[answer]
        _tell(outcome[1].format(who=uin), as_json=as_json, uin=uin, outcome=outcome[0])

    run(signing, work)
    if outcome[0] == "refused":
        sys.exit(Exit.REFUSED)


@main.command(short_help="Accept somebody as a friend.")
@client_options
@who_argument
@json_option
def accept(signing: SignIn, *, who: str, as_json: bool) -> None:
    """Accept the wish of WHO to be your friend."""

    async def work(session: Session) -> None:
        uin = await session.number(who)
        await session.me.accept(uin)
        _tell(tr("{who} is your friend now.").format(who=uin), as_json=as_json, uin=uin)

    run(signing, work)


@main.command(short_help="Refuse somebody as a friend.")
@client_options
@who_argument
@click.argument("reason", default="")
@json_option
def refuse(signing: SignIn, *, who: str, reason: str, as_json: bool) -> None:
    """Refuse the wish of WHO to be your friend; they are told the REASON."""

    async def work(session: Session) -> None:
        uin = await session.number(who)
        await session.me.refuse(uin, reason)
        _tell(tr("{who} is refused.").format(who=uin), as_json=as_json, uin=uin)

    run(signing, work)


@main.command(short_help="Delete somebody from your friends.")
@client_options
@who_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def delete(signing: SignIn, *, who: str, yes: bool, as_json: bool) -> None:
    """Delete WHO from your friends; you are no longer theirs, either."""
    if not yes:
        confirm(tr("Delete {who} from your friends?").format(who=printable(who)))

    async def work(session: Session) -> None:
        uin = await session.number(who)
        await session.me.delete(uin)
        _tell(tr("{who} is no friend any more.").format(who=uin), as_json=as_json, uin=uin)

    run(signing, work)


def _tell(words: str, *, as_json: bool, **what: object) -> None:
    if as_json:
        print_json(what)
    else:
        click.echo(words)


# --- profiles ------------------------------------------------------------------------------------


@main.command(short_help="Show a profile.")
@client_options
@click.argument("who", metavar="[WHO]", required=False, shell_complete=complete_people)
@json_option
def profile(signing: SignIn, *, who: str | None, as_json: bool) -> None:
    """Show what WHO tells about themselves; without WHO what you do."""

    async def work(session: Session) -> None:
        uin = signing.uin if who is None else await session.number(who)
        found = await _profile(session, uin)
        if as_json:
            print_json(profile_object(uin, found))
            return
        rows = profile_rows(found)
        width = max(cell_len(label) for label, _ in rows)
        for label, value in rows:
            click.echo(_row(label, width, value))

    run(signing, work)


async def _profile(session: Session, uin: int) -> "GetInfoReply":
    """Return all that a server tells; not all know the third level."""
    try:
        return await session.me.profile(uin, 3)
    except NotSignedIn:
        raise
    except Refused:
        return await session.me.profile(uin)


def _row(label: str, width: int, value: str) -> str:
    left = set_cell_size(label, width) + "  "
    first, *others = value.split("\n")
    indent = " " * (width + 2)
    return "\n".join([paragraph(first, left), *(paragraph(line, indent) for line in others)])


def profile_object(uin: int, found: "GetInfoReply") -> dict[str, Any]:
    """Return a profile as JSON has it: what is filled in, as it was typed.

    `face` is the code on the wire, `picture` the number of the picture (HACK).
    """
    from dataclasses import fields

    from kqq.protocol import Reply

    of_all_replies = {one.name for one in fields(Reply)}
    names = [one.name for one in fields(found) if one.name not in of_all_replies]
    told = {name: getattr(found, name) for name in names if name not in ("level", "number")}
    face = found.face or ""
    if face.isascii() and face.isdecimal():
        told["picture"] = int(face) // _FACES + 1
    return {"uin": uin, **{name: value for name, value in told.items() if value not in (None, "")}}


@main.command(short_help="Search for people.")
@client_options
@click.option("--age", type=click.IntRange(min=0), help="As their profile has it.")
@click.option("--sex", type=click.Choice(tuple(_SEXES)), help="As their profile has it.")
@click.option("--province", metavar="TEXT", help="As their profile has it.")
@json_option
def search(
    signing: SignIn, *, age: int | None, sex: str | None, province: str | None, as_json: bool
) -> None:
    """Search for people by what their profiles tell; without options, for anybody.

    Which people are found, and how many, is up to the server. Exit code 1 if there are none.
    """
    found: list[dict[str, Any]] = []

    async def work(session: Session) -> None:
        people = await session.me.search(
            age=None if age is None else str(age),
            sex=None if sex is None else _SEXES[sex],
            province=province,
        )
        found.extend({"uin": one.uin, "nick": one.nick, "face": one.face} for one in people)

    run(signing, work)
    show(
        found,
        lambda one: (f"{one['uin']:<10} {one['nick']}",),
        none=tr("nobody was found"),
        as_json=as_json,
    )
    if not found:
        sys.exit(Exit.REFUSED)
