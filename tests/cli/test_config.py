"""`kqq config`."""

from pathlib import Path

from command import kqq, objects
from kqq.server.settings import sample


def test_the_sample_is_printed_and_right(tmp_path: Path) -> None:
    """What `default` prints, `check` takes."""
    printed = kqq("config", "default")
    assert (printed.exit_code, printed.stdout) == (0, sample())
    file = tmp_path / "kqq.toml"
    file.write_text(printed.stdout)
    checked = kqq("config", "check", str(file))
    assert (checked.exit_code, checked.stdout, checked.stderr) == (0, "ok\n", "")


def test_what_is_not_as_by_default_is_told(tmp_path: Path) -> None:
    """As TOML has it, and in no way that could steer a terminal; also as JSON."""
    file = tmp_path / "kqq.toml"
    file.write_text('text_limit = 500\nupdate_help = "小\\u009b"\nturn_limit = 64\n')
    listen = "kqq://a:1 kqq://b:2"
    result = kqq("config", "check", str(file), KQQ_LISTEN=listen)
    assert result.exit_code == 0
    assert result.stdout == (
        'ok\nlisten = ["kqq://a:1", "kqq://b:2"]\nupdate_help = "小\\x9b"\ntext_limit = 500\n'
    )
    assert objects(kqq("config", "check", str(file), "--json", KQQ_LISTEN=listen)) == [
        {
            "ok": True,
            "file": str(file),
            "settings": {
                "listen": ["kqq://a:1", "kqq://b:2"],
                "update_help": "小\x9b",
                "text_limit": 500,
            },
            "problems": [],
        }
    ]


def test_everything_wrong_is_told(tmp_path: Path) -> None:
    """A line for each, exit code 2; in JSON, too."""
    file = tmp_path / "kqq.toml"
    file.write_text("text_limit = 0\nturn_limt = 5\n")
    told = [
        f"{file} line 1: text_limit=0 cannot be; take a whole number from 1 to 16000",
        f"{file} line 2: turn_limt=5: there is no such setting; did you mean turn_limit?",
        "KQQ_BREATH: breath=-1.0 cannot be; take a number from 0 on",
    ]
    result = kqq("config", "check", str(file), KQQ_BREATH="-1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "".join(f"kqq: {one}\n" for one in told)
    result = kqq("config", "check", str(file), "--json", KQQ_BREATH="-1")
    assert (result.exit_code, result.stderr) == (2, "")
    assert objects(result) == [{"ok": False, "file": str(file), "settings": {}, "problems": told}]


def test_the_file_that_serve_would_read_is_checked(tmp_path: Path) -> None:
    """That of KQQ_CONFIG, else `kqq.toml` in the data folder, else none."""
    check = ("config", "check", "--json")
    data = str(tmp_path)
    assert objects(kqq(*check, KQQ_DATA=data))[0]["file"] is None
    (tmp_path / "kqq.toml").touch()
    assert objects(kqq(*check, KQQ_DATA=data))[0]["file"] == f"{data}/kqq.toml"
    (tmp_path / "other.toml").touch()
    other = f"{data}/other.toml"
    assert objects(kqq(*check, KQQ_DATA=data, KQQ_CONFIG=other))[0]["file"] == other
