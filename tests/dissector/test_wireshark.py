"""What only Wireshark has: filters, notes, ports, TLS; and lines that mean harm."""

import contextlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

import secured
from captures import FOLDER, asked, login, said, signed_in
from captures.leaks import broken_lines, cut_in_secrets, leaked
from kqq.capture.events import End
from kqq.dissector import lua
from making import Making, Talk
from sharks import NOTES, Shark, needs_tshark
from vectors import VECTORS

ROOT = Path(__file__).parent.parent.parent


def packets(shark: Shark, capture: Path, wanted: str, *more: str) -> list[int]:
    """Return the numbers of the packets that a display filter lets through."""
    out = shark.run("-r", capture, *more, "-Y", wanted, "-T", "fields", "-e", "frame.number")
    return [int(line) for line in out.split()]


@needs_tshark
@pytest.mark.parametrize(
    ("name", "wanted", "found"),
    [
        ("split.pcap", 'kqq.cmd == "CLTMSG"', [14, 16, 27, 29]),
        ("split.pcap", 'kqq.cmd == "CLTMSG" && kqq.kind == "request"', [14, 27]),
        ("split.pcap", 'kqq.mg contains "你好"', [14]),
        ("many.pcap", "kqq.un == 10003", [12]),
        ("many.pcap", 'lower(kqq.cmd) == "simpleinfo2"', [8, 12]),
        ("many.pcap", "kqq.st == 30", [10, 12]),
        ("http.pcap", "http && kqq.uin == 10001 && kqq.mt == 99", [8, 20, 32]),
        ("captcha.pcap", 'kqq.vc == "DBVP"', [14]),
        ("captcha.pcap", "kqq.vc.bytes contains 89:50:4e:47", [7, 12]),
        ("captcha.pcap", "kqq.response_to == 14 && kqq.time < 0.01", [16]),
        ("retransmission.pcap", "kqq.sent_before", [14, 29]),
        ("odd.pcap", "kqq.res == 20", [14]),
        ("odd.pcap", "kqq.unknown_command", [4, 20]),
        ("odd.pcap", 'kqq.malformed contains "busy"', [8]),
        ("junk.pcap", "kqq.junk || kqq.fragment", [4, 8, 12, 16]),
        ("bare-lf.pcap", "kqq.bare_lf", [4, 6, 8]),
        ("texts.pcapng", "kqq.not_utf8", [20]),
        ("config.pcap", 'kqq.serverconfig_type == "KQQHTTP"', [6]),
        ("cut.pcap", "kqq.no_end", [4, 6]),
        ("foreign.pcap", "kqq", []),
    ],
)
def test_filters_find_packets(name: str, wanted: str, found: list[int], shark: Shark) -> None:
    """Fields, texts, links and notes can all be filtered by."""
    assert packets(shark, FOLDER / name, wanted) == found


@needs_tshark
def test_what_is_not_ours_stays_with_its_own_dissector(shark: Shark) -> None:
    """Pages and forms are shown as without us, although we read such bodies."""
    path = FOLDER / "foreign.pcap"
    protocols = shark.run("-r", path, "-T", "fields", "-e", "frame.protocols")
    assert {"data-text-lines", "smtp", "http"} <= set(re.split(r"[:\s]", protocols))
    plain = shark.run("-r", path, lua=False)
    assert shark.run("-r", path) == plain


@needs_tshark
def test_secrets_are_hidden_unless_asked_for(shark: Shark) -> None:
    """Neither the tree nor the list of packets shows a password or a key by itself."""
    for name, secrets in (("split.pcap", ("5EBE2294", "ab12cd34")), ("odd.pcap", ("=secret",))):
        view = ("-r", FOLDER / name, "-O", "kqq", "-P")
        hidden, shown = shark.run(*view), shark.run(*view, "-o", "kqq.show_secrets:TRUE")
        for secret in secrets:
            assert secret not in hidden
            assert secret in shown
    cut = shark.run("-r", FOLDER / "cut.pcap", "-O", "kqq", "-P")
    assert "PS=***" in cut
    assert "5EBE2294" not in cut


@needs_tshark
@pytest.mark.parametrize("settings", [(), ("-o", "tcp.desegment_tcp_streams:FALSE")])
def test_no_view_shows_a_secret_of_a_broken_line(
    settings: tuple[str, ...], shark: Shark, tmp_path: Path
) -> None:
    """Wherever a client put it, and if its key or its end is lost, a password is not shown."""
    making = Making()
    for sender, line in broken_lines().values():
        way = 0 if sender == b"client" else 1
        cuts = cut_in_secrets(line)
        making.talk().say(way, line + b"\r\n" + login(), split=[len(cut) for cut in cuts])
        making.talk().post(*(line, said("Login", 1)) if way == 0 else (login().strip(), line))
        for cut in cuts:
            making.talk().say(way, line + b"\r\n", kept=54 + len(cut))
    path = making.save(tmp_path / "broken.pcap")
    rows = ("-T", "fields", *(f"-e{name}" for name in ("_ws.col.Info", "kqq.unknown", "kqq.mg")))
    views = (
        ("-O", "kqq", "-P", "-2", "-z", "kqq,tree", "-z", "expert"),
        ("-T", "json", "-J", "kqq"),
        rows,
    )
    for view in views:
        shown = shark.run("-r", path, *settings, *view)
        assert leaked(shown) == []
        assert leaked(shark.run("-r", path, *settings, *view, "-o", "kqq.show_secrets:TRUE"))


@needs_tshark
def test_nothing_can_steer_a_terminal(shark: Shark) -> None:
    """Texts of other people come without the signs that move a cursor or turn the direction."""
    path = FOLDER / "texts.pcapng"
    shown = shark.run("-r", path, "-2", "-O", "kqq", "-P", "-z", "kqq,tree", "-z", "expert")
    assert "[2J" in shown
    found = {sign for sign in shown if not sign.isprintable()} - {"\n", "\t"}
    assert found <= {"\ufffd"}, found


@needs_tshark
def test_links_are_the_same_in_one_pass_and_in_two(shark: Shark) -> None:
    """Wireshark reads packets again and again; only what is known later is added."""
    path = FOLDER / "many.pcap"
    fields = ("-T", "fields", "-e", "kqq.response_to", "-e", "kqq.time", "-e", "_ws.col.Info")
    assert shark.run("-r", path, *fields) == shark.run("-r", path, "-2", *fields)
    asked_in = ("-T", "fields", "-Y", "kqq.response_in", "-e", "kqq.response_in")
    assert shark.run("-r", path, *asked_in) == ""
    assert shark.run("-r", path, "-2", *asked_in).split() == ["6", "12,12", "12"]


@needs_tshark
def test_the_statistics_obey_a_filter(shark: Shark) -> None:
    """`-z kqq,tree,FILTER` counts what the filter lets through."""
    path = FOLDER / "many.pcap"
    tree = shark.run("-r", path, "-q", "-z", "kqq,tree,kqq.kind == push")
    assert re.search(r"^Messages +5$", tree, re.MULTILINE)  # all lines of the packet
    assert re.search(r"^ push +2 ", tree, re.MULTILINE)
    with_all = shark.run("-r", path, "-q", "-z", "kqq,tree")
    assert re.search(r"^Messages +10$", with_all, re.MULTILINE)
    assert max(map(len, with_all.splitlines())) <= 80


@needs_tshark
def test_a_port_can_be_set_or_left_out(shark: Shark, tmp_path: Path) -> None:
    """`kqq.port` says where broken starts are waited for; elsewhere content decides."""
    making = Making()
    talk = making.talk(server=End("198.51.100.7", 15000))
    talk.client(login(), split=[3])
    talk.server(signed_in())
    path = making.save(tmp_path / "port.pcap")
    assert packets(shark, path, "kqq.ver") == [7]  # the first line has no whole VER
    assert packets(shark, path, "kqq.ver", "-o", "kqq.port:15000") == [5, 7]
    assert packets(shark, FOLDER / "split.pcap", "kqq.cmd", "-o", "kqq.port:")[0] == 10


@needs_tshark
def test_lines_on_a_port_of_another_protocol(shark: Shark, tmp_path: Path) -> None:
    """On port 80 Wireshark asks HTTP first, which does not take our lines."""
    making = Making()
    talk = making.talk(server=End("198.51.100.7", 80))
    talk.client(login())
    talk.server(signed_in())
    path = making.save(tmp_path / "port80.pcap")
    assert packets(shark, path, "kqq") == [4, 6]
    assert packets(shark, path, "kqq", "-d", "tcp.port==80,kqq") == [4, 6]


@needs_tshark
def test_http_from_a_port_of_another_protocol(shark: Shark, tmp_path: Path) -> None:
    """A port of a phone may be one that Wireshark knows; 48049 is CBSP. On ours, we come first."""
    making = Making()
    talk = making.talk(End("192.0.2.1", 48049))
    line = b"VER=1.1&CMD=GetMsgEx&SEQ=300&UIN=10001"
    talk.post(line, said("GETMSGEX", 300, rest="&MN=0"), split=[20, 100])
    talk.close(1)
    path = making.save(tmp_path / "port.pcap")
    assert packets(shark, path, "http && kqq.cmd") == [6, 8]


@needs_tshark
def test_an_answer_that_ends_with_the_connection(shark: Shark, tmp_path: Path) -> None:
    """HTTP without a length: the body is whole when the connection is closed."""
    making = Making()
    talk = making.talk()
    talk.post(b"VER=1.1&CMD=GetMsgEx&SEQ=300&UIN=10001")
    answer = b"HTTP/1.0 200 OK\r\n\r\n" + said("GETMSGEX", 300, rest="&MN=0")
    talk.server(answer, split=[30])
    talk.close(1)
    path = making.save(tmp_path / "close.pcap")
    assert packets(shark, path, "kqq.response_to == 4") == [9]


@needs_tshark
def test_segments_out_of_order(shark: Shark, tmp_path: Path) -> None:
    """Wireshark puts them in order only if told to."""
    making = Making()
    talk = making.talk()
    talk.client(login())
    talk.server(signed_in(), split=[30, 60], backwards=True)
    path = making.save(tmp_path / "order.pcap")
    wanted = 'kqq.kind == "reply" && kqq.li == 300'
    assert packets(shark, path, wanted, "-o", "tcp.reassemble_out_of_order:TRUE") == [8]


@needs_tshark
def test_an_endless_line(shark: Shark, tmp_path: Path) -> None:
    """A line that never ends is given up, and the connection goes on."""
    making = Making()
    talk = making.talk()
    talk.client(b"VER=1.4&CON=1&CMD=CLTMSG&SEQ=1&UIN=10001&MG=" + b"x" * 70_000)
    talk.client(b"\r\n" + asked("Logout", 2))
    path = making.save(tmp_path / "endless.pcap")
    assert len(packets(shark, path, "kqq.too_long")) == 1
    assert len(packets(shark, path, 'kqq.cmd == "Logout"')) == 1


@needs_tshark
def test_a_port_that_is_used_again(shark: Shark, tmp_path: Path) -> None:
    """A new connection between the same ends does not answer requests of the old one."""
    making = Making()
    ends = (End("192.0.2.1", 40001), End("198.51.100.7", 14000))
    talk = making.talk(*ends)
    talk.client(asked("Logout", 7))
    talk.close()
    making.time += 600
    talk = making.talk(*ends, first=(900_000, 77_000))
    talk.server(said("LOGOUT", 7))
    path = making.save(tmp_path / "again.pcap")
    assert packets(shark, path, "kqq.response_to") == []
    assert packets(shark, path, "kqq.unasked") != []


def through_tls(folder: Path, words: list[tuple[int, bytes]], talk: Talk) -> Path:
    """Let a client and a server say `words` over TLS; return the file with the keys."""
    certificate = secured.make(folder)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(certificate.certificate, certificate.key)
    context = certificate.trusted()
    context.keylog_filename = str(folder / "keys.log")
    wires = [(ssl.MemoryBIO(), ssl.MemoryBIO()) for _ in range(2)]
    ends = (
        context.wrap_bio(wires[0][0], wires[0][1], server_hostname="qq.example"),
        server_context.wrap_bio(wires[1][0], wires[1][1], server_side=True),
    )

    def pass_on(way: int) -> None:
        if data := wires[way][1].read():
            talk.say(way, data)
            wires[1 - way][0].write(data)

    for _ in range(3):
        for way in (0, 1):
            with contextlib.suppress(ssl.SSLWantReadError):
                ends[way].do_handshake()
            pass_on(way)
    for way, data in words:
        ends[way].write(data)
        pass_on(way)
    return folder / "keys.log"


@needs_tshark
def test_lines_in_tls_with_the_keys_of_the_client(shark: Shark, tmp_path: Path) -> None:
    """With a key log, Wireshark opens TLS, and what is in it is read as ever."""
    making = Making()
    talk = making.talk(server=End("198.51.100.7", 14443))
    keys = through_tls(tmp_path, [(0, login()), (1, signed_in()), (0, asked("Logout", 5))], talk)
    path = making.save(tmp_path / "tls.pcap")
    seen = shark.messages(path, "-o", f"tls.keylog_file:{keys}")
    assert [one.fields["CMD"] for one in seen] == ["Login", "Login", "Logout"]
    assert seen[1].value("response_to") == str(seen[0].frame)


@needs_tshark
def test_the_benchmark_prints_its_ratio() -> None:
    """`benchmarks/decode.py` is one command; how fast is not for a test to say."""
    benchmark = [sys.executable, str(ROOT / "benchmarks" / "decode.py"), "--messages", "600"]
    done = subprocess.run([*benchmark, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(done.stdout)
    assert [one["messages"] for one in found["results"]] == [found["messages"]] * 2
    assert found["messages"] >= 600
    assert found["ratio"] > 0


@needs_tshark
def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    """All `sh` blocks of docs/wireshark.md, one after the other, as a reader would type them."""
    page = (ROOT / "docs" / "wireshark.md").read_text()
    script = "set -eu\n" + "\n".join(
        re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    )
    shutil.copy(FOLDER / "many.pcap", tmp_path / "chat.pcap")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {"PATH": path, "LC_ALL": "C.UTF-8", "HOME": str(tmp_path / "home")}
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=env, capture_output=True, timeout=55, check=False
    )
    said = done.stderr.decode()
    assert done.returncode == 0, said
    assert not [line for line in said.splitlines() if "Running as user" not in line]
    shown = done.stdout.decode()
    for sample in re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        for line in sample.splitlines():
            number, _, words = line.strip().partition(" KQQ ")
            assert re.search(
                rf"^ +{number.split()[0]} .* KQQ \d+ {re.escape(words)}$", shown, re.MULTILINE
            )
    notes = set(re.findall(r"`kqq\.(\w+)`", page.partition("## Oddities")[2].partition("## S")[0]))
    assert notes == NOTES


# --- bad input -----------------------------------------------------------------------------------

INSERTED = (
    b"&", b"=", b"%", b"%0", b"%00", b"\n", b"\r", b",", b"\0", b"\xff\xfe", b"%ff", b"VER=",
    b"&RES=5", b"&MG=", b"9" * 20, b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"%s%n%d", b" \x1c",
    b"&UN=18446744073709551616", b"&VC=8950", b"&UN=" + b"," * 300,
)  # fmt: skip


def broken(raw: bytes, random: Random) -> bytes:
    """Return a line with a few things wrong."""
    data = bytearray(raw)
    for _ in range(random.randrange(6)):
        place = random.randrange(len(data) + 1)
        choice = random.randrange(4)
        if choice == 0:
            data[place:place] = random.choice(INSERTED)
        elif choice == 1:
            del data[place : place + random.randrange(20)]
        elif choice == 2:
            data[place : place + 1] = random.randbytes(1)
        else:
            data[place:place] = data[: random.randrange(40)]
    return bytes(data)


@needs_tshark
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    "settings",
    [(), ("-2",), ("-o", "tcp.desegment_tcp_streams:FALSE"), ("-o", "kqq.show_secrets:TRUE")],
    ids=["one pass", "two passes", "no reassembly", "secrets"],
)
def test_hostile_lines_break_nothing(
    seed: int, settings: tuple[str, ...], shark: Shark, tmp_path: Path
) -> None:
    """Whatever comes, the dissector raises no error, and the JSON that tshark writes is whole."""
    random = Random(seed)
    making = Making()
    lines = [vector.raw for vector in VECTORS]
    for _ in range(150):
        talk = making.talk(opened=random.random() < 0.7)
        for _ in range(random.randrange(1, 5)):
            ends = (b"\r\n", b"\n", b"")
            data = b"".join(
                broken(random.choice(lines), random) + random.choice(ends)
                for _ in range(random.randrange(1, 4))
            )
            if random.random() < 0.2:
                talk.post(data, broken(random.choice(lines), random))
                continue
            talk.say(
                random.randrange(2),
                data,
                split=sorted(random.randrange(len(data) + 1) for _ in range(random.randrange(3))),
                again=random.random() < 0.1,
                lost=random.random() < 0.05,
                backwards=random.random() < 0.1,
                kept=random.choice([None] * 8 + [80]),
            )
    path = making.save(tmp_path / "hostile.pcap")
    tree = shark.run("-r", path, *settings, "-O", "kqq", "-z", "kqq,tree")
    assert tree.count("Mobile QQ text protocol") > 500
    assert "Lua Error" not in tree
    assert "Dissector bug" not in tree
    json.loads(shark.run("-r", path, *settings, "-T", "json", "-J", "kqq"))


def test_the_notes_that_tests_know_are_those_of_the_runtime() -> None:
    """A note that is added there is known here."""
    runtime = Path(lua.__file__).parent / "runtime" / "showing.lua"
    assert set(re.findall(r'expert_note\("(\w+)"', runtime.read_text())) == NOTES
