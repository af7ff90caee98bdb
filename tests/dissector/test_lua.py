"""The dissector as a text: what the generator makes of the catalogue."""

import re
import shutil
import subprocess
from pathlib import Path
from random import Random
from types import MappingProxyType

import pytest

from captures.leaks import broken_lines, cut_in_secrets, leaked
from kqq.dissector import lua
from kqq.errors import LocalProtocolError
from kqq.protocol.export import specs
from kqq.protocol.fields import HEX, Kind, list_of
from kqq.protocol.schema import HEADS, described
from kqq.protocol.wire import mask_broken_bytes, mask_bytes
from vectors import VECTORS

PIECES = [
    *(
        b"PS",
        b"ps",
        b"SG",
        b"SSG",
        b"S",
        b"P%53",
        b"%50s",
        b"s%73%47",
        b"password",
        b"Pwd",
        b"again",
    ),
    *(
        b"=",
        b"=",
        b"%3D",
        b"%3d",
        b"&",
        b"%26",
        b":",
        b" ",
        b"\t",
        b"\x00",
        b"\xe4\xbd",
        b"%20",
        b"%",
    ),
    *(b"\r", b"\n", b"\r\n", b"x", b"_", b"7", b"a", b"VC=", b"UIN=", b"5EBE2294", b"10001001"),
    *(b"5EBE2294ECD0E0F08EAB7690D2A6EE69", b"5ebe2294ecd0e0f08eab7690d2a6ee69ff"),
]
LUAC = next(filter(None, map(shutil.which, ("luac5.2", "luac5.4", "luac"))), None)


def test_every_field_can_be_filtered_by() -> None:
    """Each key has a filter; a key with two sorts of values has two."""
    found = {(one.key, one.type): one.name for one in lua.filters()}
    keys = {declared.key for spec in specs() for declared in spec.all_fields}
    assert {key for key, _ in found} == keys
    assert found["CMD", "text"] == "cmd"
    assert found["UN", "number"] == "un"
    assert found["RS", "number"] == "rs"
    assert found["RS", "text"] == "rs.text"
    assert found["VC", "text"] == "vc"
    assert found["VC", "bytes"] == "vc.bytes"
    assert len(set(found.values())) == len(found)


def test_a_filter_tells_every_meaning() -> None:
    """What Wireshark shows of a field has the meanings it has in all commands, each once."""
    about = next(one.about for one in lua.filters() if one.name == "cd")
    assert about == "outcome; what this is"


def test_a_field_cannot_take_the_name_of_what_we_add(monkeypatch: pytest.MonkeyPatch) -> None:
    """`kqq.kind` is the kind of a line; a field KIND would be mixed up with it."""
    field = described("KIND", HEX, "what it is", "C", "SEED")
    monkeypatch.setattr(lua, "HEADS", MappingProxyType({**HEADS, "reply": (field,)}))
    with pytest.raises(LocalProtocolError, match=r"kqq\.kind for KIND"):
        lua.filters()


@pytest.mark.parametrize(
    "kind", [Kind("DATE", str, str), list_of(HEX), list_of(list_of(HEX))], ids=repr
)
def test_a_kind_the_runtime_cannot_read_stops_the_generator(kind: Kind) -> None:
    """Whoever adds a kind to the catalogue is told to teach it to the dissector."""
    with pytest.raises(LocalProtocolError, match="cannot read values of the kind"):
        lua.kind_parts(kind)


def test_values_have_a_form_in_lua() -> None:
    """Strings have no sign that Lua could take for another, and nothing else is let through."""
    assert lua.as_lua('a"\\\n\x00ä') == r'"a\"\\\010\000\195\164"'
    assert lua.as_lua({"a": True, "b c": [1, "x"], "d": None, "end": []}) == (
        '{ a = true, ["b c"] = { 1, "x" }, ["end"] = {} }'
    )
    assert lua.as_lua(["x" * 60, "y" * 60]).count("\n") == 3
    with pytest.raises(TypeError, match="no form in Lua"):
        lua.as_lua(1.5)


def test_the_file_names_its_maker_and_what_it_needs() -> None:
    """Whoever opens the file learns what it is for and where it is from."""
    made = lua.dissector()
    assert made.startswith("-- The text protocol of Mobile QQ (KQQ) for Wireshark 4.0 and newer.\n")
    assert "kqq dissector" in made.splitlines()[1]
    assert made == lua.dissector()


@pytest.mark.skipif(LUAC is None, reason="luac is not installed")
def test_lua_can_read_the_file(tmp_path: Path) -> None:
    """The compiler of Lua has no complaint."""
    assert LUAC is not None
    script = tmp_path / "kqq.lua"
    script.write_text(lua.dissector(), encoding="utf-8")
    subprocess.run([LUAC, "-p", str(script)], check=True, timeout=30)


@pytest.mark.parametrize("version", ["lua52", "lua53", "lua54"])
def test_it_runs_in_every_lua_that_wireshark_had(version: str) -> None:
    """Wireshark 4.0 has Lua 5.2, 4.4 has 5.4: all vectors go through, the menus too.

    Wireshark itself is a stand-in here, which is strict where 5.4 is.
    """
    lupa = pytest.importorskip(f"lupa.{version}", reason="lupa is not installed")
    runtime = lupa.LuaRuntime(encoding=None)
    perform = runtime.execute((Path(__file__).parent / "wireshark.lua").read_bytes())
    runtime.execute(lua.dissector().encode())
    lines = [runtime.table_from([vector.ended, vector.sender.value.encode()]) for vector in VECTORS]
    items, statistics, wanted, _ = perform(runtime.table_from(lines))
    assert items > 20 * len(VECTORS)
    assert re.search(rb"^Messages +\d{3}$", statistics, re.MULTILINE)
    assert wanted == b"kqq.uin == 10001"


@pytest.mark.parametrize("version", ["lua52", "lua53", "lua54"])
@pytest.mark.parametrize("case", broken_lines())
def test_no_text_has_a_secret_of_a_broken_line(version: str, case: str) -> None:
    """Tree, notes, Info column and statistics hide it, unless they shall not."""
    lupa = pytest.importorskip(f"lupa.{version}", reason="lupa is not installed")
    sender, line = broken_lines()[case]
    start = b"VER=1.1&CMD=Logout&SEQ=300&UIN=10001"  # it tells who is the client
    lines = [[start, b"client"], *([one, sender] for one in line.split(b"\n"))]
    lines += [[one, b"nobody"] for one in cut_in_secrets(line)]
    shown = {}
    for shows_secrets in (False, True):
        runtime = lupa.LuaRuntime(encoding=None)
        perform = runtime.execute((Path(__file__).parent / "wireshark.lua").read_bytes())
        runtime.execute(lua.dissector().encode())
        table = runtime.table_from([runtime.table_from(one) for one in lines])
        _, statistics, _, words = perform(table, shows_secrets)
        shown[shows_secrets] = f"{words.decode()}\n{statistics.decode()}"
    assert leaked(shown[False]) == []
    assert leaked(shown[True]) != []


@pytest.mark.parametrize("version", ["lua52", "lua53", "lua54"])
def test_lua_hides_what_python_hides(version: str) -> None:
    """Both give the same text for whole lines, broken ones, and what is no line at all."""
    lupa = pytest.importorskip(f"lupa.{version}", reason="lupa is not installed")
    runtime = lupa.LuaRuntime(encoding=None)
    secrets = lua.as_lua({"secrets": {"PS": True, "SG": True, "SSG": True}})
    source = Path(lua.__file__).parent / "runtime" / "hiding.lua"
    hiding = f"local catalogue = {secrets}\n{source.read_text()}\nreturn hide, hide_broken"
    hide, hide_broken = runtime.execute(hiding.encode())
    random = Random(5)
    lines = [line for _, line in broken_lines().values()]
    lines += [vector.raw for vector in VECTORS]
    for _ in range(4000):
        lines.append(b"".join(random.choice(PIECES) for _ in range(random.randrange(12))))
    for line in lines:
        assert hide(line) == mask_bytes(line), line
        assert hide_broken(line) == mask_broken_bytes(line), line
