"""`kqq discover`."""

import socketserver
import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.cells import cell_len

from command import kqq, objects
from serving import quiet_port

PATH = "/newConf/kjava/aubin2.jsp"
HOSTILE = "\x1b[2J\u202e坏" * 20


def document(*addresses: str, rest: str = "") -> bytes:
    """Return a document that lists these."""
    kinds = ["KQQHTTP" if one.startswith("http") else "KQQTCP" for one in addresses]
    return (
        f"SERERCONFIG_NUM={len(addresses)}&SERVERCONFIG_TYPE={','.join(kinds)}"
        f"&SERVERCONFIG_URL={','.join(addresses)}{rest}"
    ).encode()


@contextmanager
def answering(
    body: bytes, status: str = "200 OK", meanwhile: Callable[[], object] = lambda: None
) -> Iterator[str]:
    """Run a web server that has only this, and does something meanwhile; give its URL."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            meanwhile()
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n"
            self.wfile.write(head.encode() + body)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_the_document_of_our_own_server(address: str) -> None:
    """A host and a port are enough; nothing is tried."""
    place = address.removeprefix("tcp://")
    result = kqq("discover", place)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"Servers, in the order to try:\n  tcp://{place}\n  http://{place}\n"


def test_json(address: str) -> None:
    """One object, and in it the server that answers if they are tried."""
    place = address.removeprefix("tcp://")
    host, _, port = place.partition(":")
    result = kqq("discover", f"http://{place}/", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    (found,) = objects(result)
    assert found == {
        "url": f"http://{place}{PATH}",
        "servers": [
            {"address": f"{kind}://{place}", "kind": kind, "host": host, "port": int(port)}
            for kind in ("tcp", "http")
        ],
        "update": None,
        "sms": [],
        "sms_help": "",
        "oddities": [],
    }
    result = kqq("discover", place, "--json", "--try")
    assert objects(result) == [{**found, "answered": address}]


def test_dead_servers_and_then_a_live_one(tmp_path: Path, address: str) -> None:
    """What is tried, and what came of it, is on standard error as it happens."""
    dead = f"127.0.0.1:{quiet_port()}"
    file = tmp_path / "saved"
    file.write_bytes(document(f"socket://{dead}", address.replace("tcp", "socket")))
    result = kqq("discover", "--file", str(file), "--try", "--timeout", "5")
    assert result.exit_code == 0
    assert result.stdout == (
        f"Servers, in the order to try:\n  tcp://{dead}\n  {address}\n\n{address} answers\n"
    )
    assert result.stderr == (
        f"trying tcp://{dead}: Connection refused; is a server running there?\n"
        f"trying {address}: it answers\n"
    )


def test_nobody_answers() -> None:
    """Exit code 3, with the reasons; the JSON is there all the same."""
    dead = f"127.0.0.1:{quiet_port()}"
    result = kqq("discover", "--file", "-", "--try", typed=document(f"http://{dead}"))
    assert result.exit_code == 3
    assert f"\nkqq: no server answers:\n  http://{dead}: Connection refused" in result.stderr
    result = kqq("discover", "--file", "-", "--try", "--json", typed=document(f"http://{dead}"))
    assert result.exit_code == 3
    assert objects(result)[0]["answered"] is None


def test_all_that_a_document_can_say() -> None:
    """In 80 columns, wide signs counted, and with nothing in it that could steer a terminal."""
    rest = (
        f"&UPDATAECONFIG_NUM=1&UPDATECONFIG_VERSION=2.4.2&UPDATECONFIG_MUST=Y"
        f"&UPDATECONFIG_URL=http://a/{'x' * 200}&UPDATECONFIG_HELPTXT=请升级%0a{HOSTILE}"
        f"&SMSSERVICE_NUM=2&SMSSERVICE_NAME=24小时在线,{HOSTILE}&SMSSERVICE_ADDRESS=10661700,1"
        "&SMSSERVICE_TEXT=HQ,SQKJ%2c||QQNO||&SMSSERVICE_HELPTXT=通过短信就能登陆%0aQQ,关注此QQ好友"
        f"&{HOSTILE}"
    )
    body = document("socket://a:1", HOSTILE, f"http://{'b' * 60}.{'c' * 60}.example:80", rest=rest)
    result = kqq("discover", "--file", "-", typed=body)
    assert (result.exit_code, result.stderr) == (0, "")
    assert max(map(cell_len, result.stdout.splitlines())) <= 80
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
    for words in (
        "Servers, in the order to try:\n  tcp://a:1\n  http://bbb",
        "\n\nNewest version: 2.4.2, which everybody must have\n  http://a/xxx",
        "\n  请升级\n  \\x1b[2J\\u202e坏",
        "\n\nServices by short message:\n  24小时在线: send HQ to 10661700\n    通过短信",
        "就能登陆\n    QQ\n",
        "\n    关注此QQ好友&\\x1b[2J",
        "\n\nWhat is odd about this document:\n",
        "\n  - there is a raw & in SMSSERVICE_HELPTXT\n",
        " is not an address we can use\n",
    ):
        assert words in result.stdout
    printed = kqq("discover", "--file", "-", "--json", typed=body).stdout
    assert "\x1b" not in printed
    assert "\u202e" not in printed


def test_help_that_cannot_be_parted() -> None:
    """Comes after all services; a version that nobody must have says so."""
    rest = (
        "&UPDATECONFIG_URL=http://a&SMSSERVICE_NAME=a,b&SMSSERVICE_ADDRESS=1,2&SMSSERVICE_TEXT=c,d"
        "&SMSSERVICE_HELPTXT=e, f, g"
    )
    result = kqq("discover", "--file", "-", typed=document("socket://a:1", rest=rest))
    assert result.stdout.startswith(
        "Servers, in the order to try:\n  tcp://a:1\n\n"
        "Newest version: ?, which nobody must have\n  http://a\n\n"
        "Services by short message:\n  a: send c to 1\n  b: send d to 2\n    e, f, g\n\n"
        "What is odd about this document:\n"
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "the document is empty; is the address right?"),
        (b"<title>\x1b[2JHotel</title>", r"a web page (its title is '\\x1b[2JHotel')"),
        (b"x" * 10_000_000, "the document is longer than 65536 bytes"),
        (b"\xff\xd8\xff\xe0", "the document is a picture (JPEG)"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, body: bytes, why: str) -> None:
    """Exit code 1 and the reason, whether it is a file or was fetched."""
    file = tmp_path / "saved"
    file.write_bytes(body)
    result = kqq("discover", "--file", str(file))
    assert (result.exit_code, result.stdout) == (1, "")
    assert why in result.stderr
    with answering(body) as url:
        result = kqq("discover", url)
    assert (result.exit_code, result.stdout) == (1, "")
    assert why.replace("the document is longer", "the body is longer") in result.stderr


def test_no_document_there() -> None:
    """A status that is not 200 is exit code 1, nobody there 3."""
    with answering(b"no", "404 Not Found") as url:
        result = kqq("discover", f"{url}/elsewhere")
    assert result.exit_code == 1
    assert "/elsewhere answers with status 404 (Not Found)" in result.stderr
    result = kqq("discover", f"127.0.0.1:{quiet_port()}")
    assert result.exit_code == 3
    assert "Connection refused" in result.stderr


def test_wrong_usage(tmp_path: Path) -> None:
    """Exit code 2: nothing named, too much named, no URL, no such file."""
    for arguments, why in (
        ([], "say the URL of a document, or --file"),
        (["a", "--file", "-"], "URL and --file contradict each other"),
        (["ftp://a"], "'ftp://a' is no URL of a document; write one such as http://"),
        (["--file", str(tmp_path / "none")], "does not exist"),
        (["a", "--timeout", "0"], "is not in the range"),
    ):
        result = kqq("discover", *arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert why in result.stderr


def test_an_account_remembers_which_server_answered(tmp_path: Path, address: str) -> None:
    """Its URL is used if none is named, and the server that answered is tried first."""
    live = address.removeprefix("tcp://")
    dead = f"127.0.0.1:{quiet_port()}"
    settings = tmp_path / "client.toml"
    with answering(document(f"socket://{dead}", f"socket://{live}", f"http://{live}")) as url:
        settings.write_text(f'[accounts.anna]\nuin = 10001\ndiscover = "{url}"\n')
        assert kqq("discover", KQQ_CLIENT_CONFIG=str(settings)).stderr == ""
        first = kqq("discover", "--try", KQQ_CLIENT_CONFIG=str(settings), KQQ_ACCOUNT="anna")
        assert first.stderr.splitlines()[1:] == [f"trying {address}: it answers"]
        assert tomllib.loads(settings.read_text())["accounts"]["anna"]["last"] == address
        again = kqq("discover", f"{url}{PATH}", "--try", KQQ_CLIENT_CONFIG=str(settings))
        assert again.stderr == f"trying {address}: it answers\n"
        assert again.stdout.endswith(f"\n{address} answers\n")
        settings.write_text(settings.read_text().replace(address, f"http://{live}"))
        web = kqq("discover", "--try", KQQ_CLIENT_CONFIG=str(settings))
        assert web.stderr == f"trying http://{live}: it answers\n"


def test_what_cannot_be_remembered_is_told(tmp_path: Path, address: str) -> None:
    """And is no reason to fail: somebody has just broken the file."""
    settings = tmp_path / "client.toml"
    body = document(address.replace("tcp", "socket"))
    with answering(body, meanwhile=lambda: settings.write_text("x")) as url:
        settings.write_text(f'[accounts.anna]\nuin = 10001\ndiscover = "{url}"\n')
        result = kqq("discover", "--try", KQQ_CLIENT_CONFIG=str(settings))
    assert result.exit_code == 0
    assert result.stdout.endswith(f"{address} answers\n")
    assert result.stderr.splitlines()[-1].startswith(f"kqq: {settings} line 1: ")
    assert settings.read_text() == "x"


def test_chinese(address: str) -> None:
    """The words for people are in the language of the person."""
    result = kqq("discover", address.removeprefix("tcp://"), KQQ_LANG="zh")
    assert result.exit_code == 0
    assert f"\n  {address}\n" in result.stdout
