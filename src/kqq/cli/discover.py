"""`kqq discover`: the servers that a server-config document lists, and which of them answers."""

import asyncio
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kqq.cli.group import json_option, main, paragraph, print_json, tell_error
from kqq.cli.signing_in import ca_option
from kqq.errors import ConfigError, ConnectionLost, DiscoveryError
from kqq.words import printable, tr

if TYPE_CHECKING:
    import ssl

    from kqq.client import Address
    from kqq.client.discovery import FoundServers
    from kqq.client.settings import AccountSettings, Settings

_MOST_TIME = 600.0  # seconds


@main.command(short_help="Find the servers, as the phone did.")
@click.argument("url", required=False)
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE",
    help="Read a saved document instead; `-` is standard input.",
)
@click.option("--try", "is_trying", is_flag=True, help="Try the servers until one answers.")
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, _MOST_TIME),
    metavar="SECONDS",
    help="How long the document may take, and each server.  [default: 10, and 5 for a server]",
)
@ca_option
@json_option
def discover(
    url: str | None,
    *,
    file: Path | None,
    is_trying: bool,
    timeout: float | None,
    ca: Path | None,
    as_json: bool,
) -> None:
    """Show which servers a server-config document lists, and what else it says.

    URL is where the document is, such as http://192.0.2.7:8000; without a path it is where phones
    looked for it. Left out, it is that of your account, see `kqq logins`. No server is tried
    without --try; the one that answers is remembered if URL is that of an account of yours.
    """
    from kqq.client.discovery import TRY_TIME
    from kqq.client.settings import Settings, load
    from kqq.client.transport import make_trust

    if url is not None and file is not None:
        raise click.UsageError("URL and --file contradict each other")
    settings = load() if file is None else Settings()
    if file is None:
        url = _whole(url or _of_account(settings))
    accounts = _listed_at(url, settings)
    ca = ca or next((one.ca for one in accounts.values()), None)
    trust = None if ca is None else make_trust(ca)
    found = _find(url, file, timeout, trust)
    shown = _object(found, url)
    if not as_json:
        click.echo("\n".join(_lines(found)))
    if is_trying:
        last = next((one.last for one in accounts.values()), None)
        try:
            answered = _try(found, last, timeout or TRY_TIME, trust)
        except ConnectionLost:
            if as_json:
                print_json({**shown, "answered": None})
            raise
        shown["answered"] = str(answered)
        if not as_json:
            click.echo("\n" + tr("{server} answers").format(server=answered))
        _remember(accounts, answered)
    if as_json:
        print_json(shown)


def _whole(url: str) -> str:
    from kqq.client.discovery import document_url

    return document_url(url)


def _of_account(settings: "Settings") -> str:
    """Return the URL of the document of the account that is used if none is named."""
    chosen = settings.chosen(os.environ.get("KQQ_ACCOUNT"))
    if chosen is None or not chosen[1].discover:
        raise click.UsageError("say the URL of a document, or --file")
    return chosen[1].discover


def _listed_at(url: str | None, settings: "Settings") -> "dict[str, AccountSettings]":
    """Return the accounts whose servers are listed at `url`, by name."""
    found = settings.accounts.items()
    return {name: one for name, one in found if one.discover and _whole(one.discover) == url}


def _find(
    url: str | None, file: Path | None, seconds: float | None, trust: "ssl.SSLContext | None"
) -> "FoundServers":
    from kqq.client.discovery import FETCH_TIME, fetch, read_config

    if file is not None:
        return read_config(_saved(file))
    assert url is not None
    return asyncio.run(fetch(url, timeout=seconds or FETCH_TIME, trust=trust))


def _saved(file: Path) -> bytes:
    from kqq.client.discovery import DOCUMENT_LIMIT

    with click.open_file(str(file), "rb") as stream:
        body: bytes = stream.read(DOCUMENT_LIMIT + 1)
    if len(body) > DOCUMENT_LIMIT:
        raise DiscoveryError(f"the document is longer than {DOCUMENT_LIMIT} bytes; is it the file?")
    return body


def _try(
    found: "FoundServers", last: "Address | None", seconds: float, trust: "ssl.SSLContext | None"
) -> "Address":
    from kqq.client.discovery import remembered_first, try_servers

    def tell(address: "Address", words: str) -> None:
        if words:
            click.echo(printable(words), err=True)
        else:
            start = tr("trying {server}:").format(server=address)
            click.echo(f"{printable(start)} ", nl=False, err=True)
        sys.stderr.flush()

    servers = remembered_first(found.servers, last)
    return asyncio.run(try_servers(servers, timeout=seconds, on_try=tell, trust=trust))


def _remember(accounts: Iterable[str], address: "Address") -> None:
    """Note which server answered; not being able to is no reason to fail."""
    from kqq.client.settings import remember_server

    for name in accounts:
        try:
            remember_server(name, address)
        except ConfigError as error:
            tell_error(error)


def _object(found: "FoundServers", url: str | None) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "url": url,
        "servers": [
            {"address": str(one), "kind": one.scheme, "host": one.host, "port": one.port}
            for one in found.servers
        ],
        "update": None if found.update is None else asdict(found.update),
        "sms": [asdict(one) for one in found.sms],
        "sms_help": found.sms_help,
        "oddities": list(found.oddities),
    }


def _lines(found: "FoundServers") -> Iterator[str]:
    """Give a document in words, in 80 columns."""
    yield tr("Servers, in the order to try:")
    for address in found.servers:
        yield paragraph(str(address), "  ")
    if found.update is not None:
        must = (
            tr("which everybody must have") if found.update.must else tr("which nobody must have")
        )
        version = found.update.version or "?"
        yield "\n" + paragraph(
            tr("Newest version: {version}, {must}").format(version=version, must=must)
        )
        yield from _texts(found.update.url, "  ")
        yield from _texts(found.update.text, "  ")
    if found.sms:
        yield "\n" + tr("Services by short message:")
    for service in found.sms:
        told = tr("{name}: send {text} to {number}")
        filled = {"name": service.name, "text": service.text, "number": service.number}
        yield paragraph(told.format(**filled), "  ")
        yield from _texts(service.help, "    ")
    if found.sms_help and not any(service.help for service in found.sms):
        yield from _texts(found.sms_help, "    ")
    if found.oddities:
        yield "\n" + tr("What is odd about this document:")
        for words in found.oddities:
            yield paragraph(words, "  - ")


def _texts(text: str, left: str) -> Iterator[str]:
    """Give a text of the document, which may have several lines."""
    for line in printable(text, lines=True).split("\n"):
        if line.strip():
            yield paragraph(line, left)
