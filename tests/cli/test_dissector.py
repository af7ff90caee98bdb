"""`kqq dissector`: the dissector for Wireshark, printed or written."""

from pathlib import Path

from command import kqq
from kqq.dissector.lua import dissector


def test_it_is_printed() -> None:
    """Standard output has the file and nothing else."""
    result = kqq("dissector")
    assert result.exit_code == 0
    assert result.stdout == dissector()
    assert result.stderr == ""


def test_it_is_written_into_a_new_folder(tmp_path: Path) -> None:
    """The folder of plugins is seldom there before."""
    path = tmp_path / "lib" / "wireshark" / "kqq.lua"
    result = kqq("dissector", "-o", str(path))
    assert result.exit_code == 0
    assert result.output == ""
    assert path.read_text(encoding="utf-8") == dissector()


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """Exit code 2, and the reason; a name cannot steer the terminal."""
    folder = tmp_path / "a\x1b[2Jb"
    folder.write_text("")
    result = kqq("dissector", "--output", str(folder / "kqq.lua"))
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr
    assert "\x1b" not in result.stderr
