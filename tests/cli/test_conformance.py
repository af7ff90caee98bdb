"""`kqq conformance`: our server passes the suite, and one that is not right fails readably."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import click
import pytest
from rich.cells import cell_len

from altering import altering
from command import kqq, objects
from kqq.cli import conformance
from kqq.cli.conformance import report_lines
from kqq.conformance.company import example
from kqq.conformance.published import entries
from kqq.words import Exit
from prepared import prepared
from process import Process
from results import AT_END, FAILED, LOST, PASSED, SKIPPED, report
from serving import quiet_port


@pytest.fixture(scope="module")
def server() -> Iterator[Process]:
    """A server of ours with the accounts of the suite."""
    with prepared() as process:
        yield process


@pytest.fixture
def where(server: Process) -> str:
    """Its address, as people write it."""
    return f"127.0.0.1:{server.port}"


@pytest.mark.timeout(120)
def test_our_server_passes(where: str, tmp_path: Path) -> None:
    """All plays that need no other settings and no hours, over TCP and over HTTP."""
    junit, html = tmp_path / "junit.xml", tmp_path / "report.html"
    done = kqq("conformance", where, "--json", "--junit", str(junit), "--html", str(html))
    *results, whole = objects(done)
    failed = [one for one in results if one["verdict"] == "failed"]
    assert failed == [], json.dumps(failed, indent=1)
    assert done.exit_code == Exit.DONE
    assert {one["type"] for one in results} == {"result"}
    assert (whole["type"], whole["failed"]) == ("report", 0)
    assert whole["passed"] == sum(one["verdict"] == "passed" for one in results) > 85
    skipped = {one["play"]: one["reason"] for one in results if one["verdict"] == "skipped"}
    assert set(skipped) == {"breath", "captcha", "captcha_wrong", "pages", "redirector",
                            "silence_ends_a_session", "silence_on_a_socket"}  # fmt: skip
    assert all(skipped.values())
    assert [one for one in results if one["notes"]] == []
    page = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")
    assert f"{whole['passed']} passed, 0 failed, {whole['skipped']} skipped" in page
    assert ET.parse(junit).getroot().get("tests") == str(len(results))
    assert "pages TCP, pages HTTP" in html.read_text(encoding="utf-8")


def test_other_settings() -> None:
    """A server that is set to it passes what needs that; the redirector is a door of its own."""
    settings = ["friends_per_page=2", "redirector=kqq://127.0.0.1:0"]
    with prepared(*settings) as process:
        has = [part for setting in settings for part in ("--has", setting)]
        has += ["--redirector", f"127.0.0.1:{process.ports[-1]}"]
        only = ["--only", "pages", "--only", "redirector", "--over", "http"]
        file = "".join(
            f'[{name}]\nuin = {10001 + number}\npassword = "secret"\n'
            for number, name in enumerate(("Romeo", "Abram", "Balthasar", "Gregory", "Peter",
                                           "Sampson", "Juliet"))
        )  # fmt: skip
        accounts = Path(process.data) / "accounts.toml"
        accounts.write_text(file)
        made = kqq("conformance", "--prepare", str(process.data), "--accounts", str(accounts))
        assert made.exit_code == Exit.DONE, made.output
        done = kqq("conformance", f"127.0.0.1:{process.port}", *only, *has,
                   "--accounts", str(accounts))  # fmt: skip
    assert "2 passed, 0 failed, 0 skipped" in done.stdout
    assert done.exit_code == Exit.DONE


def wrong(data: bytes) -> bytes:
    """Say something that is nearly right."""
    return data.replace(b"RA=Password error", b"RA=Passwort falsch")


def test_a_wrong_server_fails(server: Process, tmp_path: Path) -> None:
    """The report says what, where, who says so, and shows both side by side."""
    html = tmp_path / "report.html"
    only = ["--only", "wrong_password", "--only", "unknown_number", "--over", "tcp"]
    with altering(server.port, wrong) as port:
        done = kqq("conformance", f"127.0.0.1:{port}", *only, "--html", str(html))
    assert done.exit_code == Exit.REFUSED
    lines = done.stdout.splitlines()
    assert "  TCP FAILED   wrong_password                 SETM FWGQ" in lines
    assert "  TCP passed   unknown_number                 HACK FWGQ" in lines
    assert "wrong_password failed over TCP" in lines
    assert "  SETM  PHP class SET_MQQ, 1.4 over HTTP" in lines
    (row,) = [line for line in lines if line.startswith("≠")]
    assert row.split() == ["≠", "RA", "Password", "error", "Passwort", "falsch"]
    assert "1 passed, 1 failed, 0 skipped" in lines
    assert max(map(cell_len, lines)) <= 80
    assert "Passwort falsch" in html.read_text(encoding="utf-8")
    assert "5EBE2294" not in done.stdout.upper()


def test_nobody_there() -> None:
    """That is no failure of a play."""
    done = kqq("conformance", f"127.0.0.1:{quiet_port()}", "--only", "sign_in_1_1")
    assert done.exit_code == Exit.NO_CONNECTION
    assert "cannot connect" in done.stderr


def test_what_was_found_before_an_interruption_is_told() -> None:
    """The report stands on standard output, and the exit code says that it is not whole."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        command = [sys.executable, "-m", "kqq", "conformance"]
        command += [f"127.0.0.1:{silent.getsockname()[1]}", "--only", "captcha", "--only", "list"]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(10)
            running.send_signal(signal.SIGINT)
            out, error = running.communicate(timeout=20)
    assert running.returncode == Exit.INTERRUPTED
    assert b"0 passed, 0 failed, 1 skipped" in out
    assert b"interrupted" in error


def test_nothing_could_be_performed(where: str) -> None:
    """Whoever runs nothing must not think that all is well."""
    done = kqq("conformance", f"kqq://{where}", "--only", "captcha")
    assert done.exit_code == Exit.REFUSED
    assert "needs a server set to captcha=always" in done.stdout


def test_the_example_is_a_file_of_accounts(where: str, tmp_path: Path) -> None:
    """What is printed can be given."""
    printed = kqq("conformance", "--accounts-example").stdout
    assert printed == example()
    path = tmp_path / "accounts.toml"
    path.write_text(printed)
    options = ["--only", "sign_in_1_1", "--over", "http", "--accounts", str(path)]
    done = kqq("conformance", where, *options, "--http", where)
    assert done.exit_code == Exit.DONE, done.output


def test_preparing_again_changes_what_is_there(tmp_path: Path) -> None:
    """Passwords, profiles, and who is suspended are as the file says."""
    path, data = tmp_path / "accounts.toml", str(tmp_path / "data")

    def prepare(more: str) -> None:
        path.write_text(f'[Romeo]\nuin = 10001\npassword = "secret"\n{more}\n')
        done = kqq("conformance", "--prepare", data, "--accounts", str(path))
        assert done.exit_code == Exit.DONE, done.output
        assert "1 account is ready" in done.stderr

    def shown() -> dict[str, object]:
        (found,) = objects(kqq("account", "show", "10001", "--json", "--data", data))
        return found

    prepare('nick = "R"\nage = 13\nsuspended = "banished"\nwho_may_add = "anyone"')
    first = shown()
    assert (first["nick"], first["suspended"]) == ("R", "banished")
    assert first["profile"] == {"age": "13"}
    assert first["who_may_add"] == "anyone"
    prepare("")
    second = shown()
    assert (second["nick"], second["suspended"]) == ("Romeo", None)
    assert second["who_may_add"] == "ask"


def test_the_list_of_plays() -> None:
    """With what they show and who says so, for people and for programs."""
    words = kqq("conformance", "--list").stdout
    assert all(f"{one.name}  ({' '.join(one.evidence)})" in words for one in entries())
    found = objects(kqq("conformance", "--list", "--json", "--only", "sign_in_1_?"))
    assert [one["play"] for one in found] == [f"sign_in_1_{number}" for number in (0, 1, 3, 4)]
    assert found[1]["evidence"] == ["HACK", "JAVA"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "which server?"),
        (["x:1", "--over", "smoke"], "write tcp, http or tcp,http"),
        (["x:1", "--only", "sign_in_1_2"], "did you mean sign_in_1_"),
        (["x:1", "--only", "zzz"], "--list shows all"),
        (["nonsense"], "is not an address"),
        (["x:1", "--html", "/nowhere/at/all.html"], "there is no such folder"),
        (["x:1", "--accounts", "nowhere.toml"], "cannot read nowhere.toml"),
    ],
)
def test_what_cannot_be_asked_for(arguments: list[str], complaint: str) -> None:
    """It is said before anything is done."""
    done = kqq("conformance", *arguments)
    assert done.exit_code == Exit.USAGE
    assert complaint in done.stderr


def test_the_report_in_words() -> None:
    """Every part of it, in eighty columns."""
    styled = report_lines(report(PASSED, FAILED, *SKIPPED, LOST, AT_END))
    lines = [click.unstyle(line) for line in styled]
    text = "\n".join(lines)
    for said in ("messages\n", "TCP passed", "HTTP FAILED", "TCP skipped  HTTP skipped pages",
                 "sign_in_1_1 failed over TCP", "line 4: Romeo < VER", "≠ RES",
                 "what breaks a rule of the catalogue:\n  HI=x",
                 "what had gone wrong before:\n  Romeo (10001)", "the last lines:\n  Romeo > VER",
                 "cannot connect", "at the end", "skipped, and why\n  needs <settings>\n    pages",
                 "1 passed, 3 failed, 2 skipped"):  # fmt: skip
        assert said in text, said
    assert max(map(cell_len, lines)) <= 80
    assert all(line.isprintable() for line in lines)


def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    """As somebody would type them, with fewer plays."""
    page = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")
    (typed,) = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    port = str(quiet_port())
    ready = "until (: </dev/tcp/127.0.0.1/14000) 2>/dev/null; do kill -0 $server; done\n"
    script = typed.replace("server=$!\n", f'server=$!\ntrap "kill $server" EXIT\n{ready}')
    script = script.replace("--html", "--only 'sign_in_1*' --over tcp --html")
    script = script.replace("kill $server\n", "kill $server; trap - EXIT\n")
    done = subprocess.run(
        ["bash", "-c", f"set -eu\n{script}".replace("14000", port)],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "4 passed, 0 failed, 0 skipped" in done.stdout
    assert (tmp_path / "report.html").exists()


def test_progress_on_a_terminal(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said which play is being performed, and wiped away at the end."""
    monkeypatch.setattr(conformance, "_on_terminal", lambda: True)
    done = kqq("conformance", where, "--only", "sign_in_1_0", "--over", "tcp")
    assert "1 of 1: sign_in_1_0 over TCP" in done.stderr
    assert done.stderr.endswith("\r")  # click leaves codes for a terminal out here
