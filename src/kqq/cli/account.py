"""`kqq account`: what is done to accounts, also while a server runs."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from kqq.cli.group import (
    NUMBER,
    ask_password,
    confirm,
    counted,
    data_option,
    json_option,
    main,
    moment,
    paragraph,
    print_json,
    show,
)
from kqq.cli.reach import do
from kqq.words import printable

_PAGE = 1000
"""Accounts that are asked for at once: a server with many must do other things in between."""


@main.group(short_help="Add, change and list the accounts of a server.")
def account() -> None:
    """The accounts of a server: what is done to them while it runs takes effect at once."""


def _print(result: dict[str, Any], words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        click.echo(words)


def _password_options(command: Any) -> Any:
    for option in (
        click.option(
            "--password-stdin",
            is_flag=True,
            help="Read the password from a line of standard input.",
        ),
        click.option(
            "--password", help="Seen by others on this machine; leave it out to be asked."
        ),
    ):
        command = option(command)
    return command


def _proof(password: str | None, *, from_stdin: bool) -> str:
    """Return what is stored of the password that was given, or is asked for now."""
    from kqq.server.accounts import new_proof

    if password is not None and from_stdin:
        raise click.UsageError("give --password or --password-stdin, not both")
    if password is None:
        password = ask_password(from_stdin=from_stdin, confirm=True)
    return new_proof(password, os.urandom)


# --- making, changing, ending --------------------------------------------------------------------


@account.command("add", short_help="Add an account.")
@click.argument("uin", type=NUMBER, required=False)
@click.option("--nick", required=True, help="The name that others see.")
@_password_options
@click.option(
    "--who-may-add",
    type=click.Choice(("anyone", "ask", "nobody")),
    help="Who may add it to their friends.  [default: as the settings say]",
)
@click.option(
    "--who-may-write",
    type=click.Choice(("friends", "anyone")),
    help="Who may write to it.  [default: as the settings say]",
)
@json_option
@data_option
def account_add(
    *,
    uin: int | None,
    nick: str,
    password: str | None,
    password_stdin: bool,
    who_may_add: str | None,
    who_may_write: str | None,
    as_json: bool,
    data: Path | None,
) -> None:
    """Add an account with the number UIN, or the lowest that is free."""
    from kqq.server.accounts import check_nick, check_uin

    if uin is not None:
        check_uin(uin)
    check_nick(nick)
    proof = _proof(password, from_stdin=password_stdin)
    added = do(
        data,
        "account.add",
        create=True,
        uin=uin,
        nick=nick,
        proof=proof,
        who_may_add=who_may_add,
        who_may_write=who_may_write,
    )
    _print(added, f"added {added['uin']} {printable(added['nick'])}", as_json=as_json)


@account.command("passwd", short_help="Change a password.")
@click.argument("uin", type=NUMBER)
@_password_options
@json_option
@data_option
def account_passwd(
    *, uin: int, password: str | None, password_stdin: bool, as_json: bool, data: Path | None
) -> None:
    """Change the password of UIN; whoever is signed in must sign in again.

    Passwords made for devices stay as they are; `kqq account device revoke` takes one back.
    """
    proof = _proof(password, from_stdin=password_stdin)
    changed = do(data, "account.passwd", uin=uin, proof=proof)
    _print(changed, f"changed the password of {uin}", as_json=as_json)


@account.command("set", short_help="Change a name, who may add or write, a profile.")
@click.argument("uin", type=NUMBER)
@click.argument("values", nargs=-1, required=True, metavar="NAME=VALUE...")
@json_option
@data_option
def account_set(*, uin: int, values: tuple[str, ...], as_json: bool, data: Path | None) -> None:
    """Change what others see of UIN, and what they may do.

    NAME is nick, face, who_may_add (anyone, ask, nobody), who_may_write (friends, anyone), or an
    entry of the profile such as age, sex, province or about; an empty VALUE removes an entry.
    """
    wanted = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals:
            raise click.UsageError(f"{value!r} is not NAME=VALUE")
        wanted[name] = text
    changed = do(data, "account.set", uin=uin, values=wanted)
    _print(changed, f"changed {', '.join(wanted)} of {uin}", as_json=as_json)


@account.command("suspend", short_help="Let somebody sign in no more.")
@click.argument("uin", type=NUMBER)
@click.option("--reason", default="", help="For the operator; the account is not told.")
@json_option
@data_option
def account_suspend(*, uin: int, reason: str, as_json: bool, data: Path | None) -> None:
    """Let UIN sign in no more, and end its session; nothing of it is lost."""
    result = do(data, "account.suspend", uin=uin, reason=reason)
    _print(result, f"suspended {uin}", as_json=as_json)


@account.command("resume", short_help="Let somebody sign in again.")
@click.argument("uin", type=NUMBER)
@json_option
@data_option
def account_resume(*, uin: int, as_json: bool, data: Path | None) -> None:
    """Let UIN sign in again."""
    _print(do(data, "account.resume", uin=uin), f"{uin} can sign in again", as_json=as_json)


@account.command("delete", short_help="Delete an account.")
@click.argument("uin", type=NUMBER)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@data_option
def account_delete(*, uin: int, yes: bool, as_json: bool, data: Path | None) -> None:
    """Delete UIN, its friendships and the messages that wait for it; this cannot be undone.

    What it has sent to others stays.
    """
    if not yes:
        shown = do(data, "account.show", uin=uin)
        friends = counted(len(shown["friends"]), "friend")
        waiting = counted(shown["waiting"], "unread message")
        words = f"Delete {uin} {printable(shown['nick'])} ({friends}, {waiting}) for good?"
        confirm(words)
    _print(do(data, "account.delete", uin=uin), f"deleted {uin}", as_json=as_json)


# --- friends -------------------------------------------------------------------------------------


@account.command("friend")
@click.argument("uin", type=NUMBER)
@click.argument("other", type=NUMBER, metavar="UIN")
@json_option
@data_option
def account_friend(*, uin: int, other: int, as_json: bool, data: Path | None) -> None:
    """Make two accounts friends of each other."""
    result = do(data, "account.friend", uin=uin, other=other)
    before = "" if result["new"] else ", and were before"
    _print(result, f"{uin} and {other} are friends{before}", as_json=as_json)


@account.command("unfriend")
@click.argument("uin", type=NUMBER)
@click.argument("other", type=NUMBER, metavar="UIN")
@json_option
@data_option
def account_unfriend(*, uin: int, other: int, as_json: bool, data: Path | None) -> None:
    """End a friendship, for both."""
    result = do(data, "account.unfriend", uin=uin, other=other)
    _print(result, f"{uin} and {other} are friends no more", as_json=as_json)


# --- looking -------------------------------------------------------------------------------------


def _pages(data: Path | None, name: str) -> Iterator[dict[str, Any]]:
    """Give what an action returns, page by page."""
    after = 0
    while page := do(data, name, after=after, most=_PAGE):
        yield from page
        after = page[-1]["uin"]


@account.command("list", short_help="List all accounts.")
@json_option
@data_option
def account_list(*, as_json: bool, data: Path | None) -> None:
    """List all accounts: number, when it was last seen, nickname."""

    def row(one: dict[str, Any]) -> tuple[str, ...]:
        suspended = "" if one["suspended"] is None else "(suspended) "
        return str(one["uin"]), moment(one["last_seen"]), suspended + one["nick"]

    show(_pages(data, "account.list"), row, none="there are no accounts", as_json=as_json)


@account.command("show", short_help="Show all that is known of an account.")
@click.argument("uin", type=NUMBER)
@json_option
@data_option
def account_show(*, uin: int, as_json: bool, data: Path | None) -> None:
    """Show all that is known of UIN, save for passwords."""
    shown = do(data, "account.show", uin=uin)
    if as_json:
        print_json(shown)
        return
    session = shown["session"]
    rows = [
        ("number", uin),
        ("nickname", shown["nick"]),
        ("face", shown["face"]),
        ("suspended", "no" if shown["suspended"] is None else shown["suspended"] or "yes"),
        ("signed in", "no" if session is None else f"from {session['peer']}, {session['status']}"),
        ("last seen", moment(shown["last_seen"])),
        ("who may add", shown["who_may_add"]),
        ("who may write", shown["who_may_write"]),
        ("friends", " ".join(map(str, shown["friends"])) or "none"),
        ("asked by", " ".join(map(str, shown["asked_by"])) or "nobody"),
        ("has asked", " ".join(map(str, shown["has_asked"])) or "nobody"),
        ("messages that wait", shown["waiting"]),
    ]
    rows += [("device", ", ".join(_device(one))) for one in shown["devices"]]
    rows += [(name.replace("_", " "), value) for name, value in shown["profile"].items()]
    for name, value in rows:
        click.echo(paragraph(str(value), f"{name:<18}  "))


# --- passwords of devices ------------------------------------------------------------------------


@account.group("device", short_help="Make and revoke passwords of phones.")
def device() -> None:
    """Passwords made for one phone each: worth nothing elsewhere, and revoked by name."""


def _device(one: dict[str, Any]) -> tuple[str, ...]:
    return one["name"], f"made {moment(one['created'])}", f"last seen {moment(one['last_seen'])}"


@device.command("add", short_help="Make a password for a phone.")
@click.argument("uin", type=NUMBER)
@click.argument("name")
@json_option
@data_option
def device_add(*, uin: int, name: str, as_json: bool, data: Path | None) -> None:
    """Make a password for the phone NAME of UIN; it is shown now and never again."""
    made = do(data, "device.add", uin=uin, name=name)
    if as_json:
        print_json(made)
        return
    click.echo(made["grouped"])
    click.echo(
        "Type this password on the phone without the blanks; it is not shown again.\n"
        "Letters are one tap each, digits one long press.",
        err=True,
    )


@device.command("list", short_help="List the phones that have a password.")
@click.argument("uin", type=NUMBER)
@json_option
@data_option
def device_list(*, uin: int, as_json: bool, data: Path | None) -> None:
    """List the phones of UIN that have a password."""
    devices = do(data, "device.list", uin=uin)
    show(devices, _device, none=f"{uin} has no devices", as_json=as_json)


@device.command("revoke", short_help="Take the password of a phone back.")
@click.argument("uin", type=NUMBER)
@click.argument("name")
@json_option
@data_option
def device_revoke(*, uin: int, name: str, as_json: bool, data: Path | None) -> None:
    """Let the password of the phone NAME sign in no more; whoever is signed in must do so again."""
    revoked = do(data, "device.revoke", uin=uin, name=name)
    _print(revoked, f"revoked the password of {printable(name)}", as_json=as_json)


# --- invitations ---------------------------------------------------------------------------------


@account.command("invite", short_help="Make a code for a new account.")
@click.option("--uses", type=int, default=1, show_default=True, help="For how many people.")
@click.option("--days", type=float, default=14, show_default=True, help="For how long.")
@click.option("--note", default="", help="For whom it is; shown in the list.")
@json_option
@data_option
def account_invite(*, uses: int, days: float, note: str, as_json: bool, data: Path | None) -> None:
    """Make a code with which somebody can make themselves an account.

    It is typed on the page /register at a door for phones, while registration=invitation.
    """
    made = do(data, "account.invite", create=True, uses=uses, days=days, note=note)
    if as_json:
        print_json(made)
        return
    click.echo(made["code"])
    click.echo(f"The code is typed at {made['page']} and is not shown again.", err=True)
    if made["registration"] != "invitation":
        click.echo(
            f"kqq: warning: registration={made['registration']}, so the code is of no use until "
            "registration=invitation",
            err=True,
        )


@account.command("invitations", short_help="List the invitations.")
@json_option
@data_option
def account_invitations(*, as_json: bool, data: Path | None) -> None:
    """List the invitations that can still be used; the codes are kept nowhere."""

    def row(one: dict[str, Any]) -> tuple[str, ...]:
        uses, until = one["uses"], moment(one["expires"])
        return f"made {moment(one['created'])}", f"until {until}", f"for {uses} more", one["note"]

    found = do(data, "account.invitations")
    show(found, row, none="there are no invitations that can be used", as_json=as_json)


# --- files ---------------------------------------------------------------------------------------


@account.command("export", short_help="Write accounts to a CSV file.")
@click.argument("file", type=click.File("w", encoding="utf-8", lazy=True), default="-")
@json_option
@data_option
def account_export(*, file: Any, as_json: bool, data: Path | None) -> None:
    """Write numbers, nicknames and friends to a CSV file, as import reads it, or to the terminal.

    Passwords are not kept, so there are none in it. A nickname that a spreadsheet would take for a
    formula gets a ' in front; import takes it away.
    """
    from kqq.cli.accounts_file import write_rows

    found = list(_pages(data, "account.export"))  # first, so that no file is emptied in vain
    if not as_json:
        write_rows(file, found)
        return
    for one in found:
        print_json(one, file)


@account.command("import", short_help="Add accounts from a CSV file.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--skip-existing", is_flag=True, help="Leave accounts alone that are there already.")
@json_option
@data_option
def account_import(*, file: Path, skip_existing: bool, as_json: bool, data: Path | None) -> None:
    """Add accounts from a CSV file with the columns uin, nick, password, friends.

    The friends of each are numbers with blanks between, of this file or of accounts that are
    there. The whole file is checked before anything is changed. Where the password is empty nobody
    knows it, until `kqq account passwd` or `kqq account device add` gives one. What was
    interrupted goes on with --skip-existing.
    """
    from kqq.cli.accounts_file import add_rows, check_rows, known_among, read_rows

    rows, wrong = read_rows(file)
    known = known_among(data, rows)
    checked = check_rows(file, rows, wrong, known, skip_existing=skip_existing)
    added, befriended = add_rows(data, checked)
    skipped = len(rows) - added
    result = {"added": added, "skipped": skipped, "friendships": befriended}
    words = f"added {counted(added, 'account')} and {counted(befriended, 'friendship')}"
    if skipped:
        words += f", skipped {counted(skipped, 'account')}"
    _print(result, words, as_json=as_json)
