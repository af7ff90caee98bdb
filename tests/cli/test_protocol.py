"""`kqq explain` and `kqq demo`."""

from command import kqq, objects

LOGIN = (
    "VER=1.4&CON=1&CMD=Login&SEQ=245&UIN=10002&PS=5EBE2294ECD0E0F08EAB7690D2A6EE69&M5=1&LG=0"
    "&LC=812822641C978097&GD=QU7YM68W72T5EJZF&CKE="
)


def test_explain_tells_each_field() -> None:
    """Keys, values, meanings with codes in words, confidence and evidence, in 80 columns."""
    line = "VER=1.1&CMD=QUERY_STAT2&SEQ=142&UIN=10005&RES=0&FN=1&SN=2&ST=10,30,&UN=10006,10007,"
    result = kqq("explain", line)
    assert result.exit_code == 0
    assert result.stdout.startswith("QUERY_STAT2, reply: One page of the statuses")
    assert "online, away" in result.stdout
    assert "[B: ZN QB]" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_explain_as_json_has_the_fields_in_order() -> None:
    """One object a line, values unescaped, the command as spelled."""
    lines = f"{LOGIN}\r\nVER=1.4&CMD=cltmsg&SEQ=1&UIN=10001&UN=10002&MG=a%2c b\n\nnonsense\n"
    result = kqq("explain", "--json", "-", typed=lines)
    assert result.exit_code == 1
    login, message, nonsense = objects(result)
    assert (login["command"], login["kind"]) == ("Login", "request")
    assert (message["command"], message["kind"]) == ("cltmsg", "request")
    fields = message["fields"]
    assert isinstance(fields, list)
    assert [field["key"] for field in fields] == ["VER", "CMD", "SEQ", "UIN", "UN", "MG"]
    assert fields[-1]["value"] == "a, b"
    assert set(fields[-1]) >= {"key", "value", "name", "meaning"}
    assert (nonsense["kind"], nonsense["command"]) == ("unreadable", "")
    assert nonsense["problems"]


def test_explain_hides_secrets_in_words() -> None:
    """A password is shown only when asked for; long values are cut with their length."""
    assert "5EBE2294" not in kqq("explain", LOGIN).stdout
    assert "5EBE2294" in kqq("explain", "--secrets", LOGIN).stdout
    picture = f"VER=1.1&CMD=VERIFYCODE&SEQ=1&UIN=10001&RES=0&SC=1&NT=&VC={'89' * 300}"
    assert "(600 characters)" in kqq("explain", picture).stdout


def test_explain_of_many_lines_exits_1_if_one_is_unreadable() -> None:
    """All readable is 0; bytes that are no UTF-8 and steering signs do no harm."""
    good = b"VER=1.4&CMD=Logout&SEQ=1&UIN=10001\n"
    assert kqq("explain", "-", typed=good * 2).exit_code == 0
    bad = kqq("explain", "-", typed=good + b"\xff\x1b[2J=1&K\xff=2\n")
    assert bad.exit_code == 1
    assert "\x1b" not in bad.stdout
    assert "  ! " in bad.stdout


def test_demo_runs() -> None:
    """`kqq demo` plays to the end."""
    result = kqq("demo")
    assert result.exit_code == 0
    assert "Everything arrived" in result.stdout
