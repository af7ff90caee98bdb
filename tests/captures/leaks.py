"""Lines that are broken where a secret is, for each view of the dissector that may show it."""

from captures import PASSWORD, login, said

SESSION = "feedface" * 8
PLACES = 12
"""Digits of a secret that nobody may see behind each other."""

_CHANGES = {
    "no & before the key": ("&PS=", "PS="),
    "an escaped & before the key": ("&PS=", "%26PS="),
    "an escaped key": ("PS=", "P%53="),
    "an escaped =": ("PS=", "PS%3d"),
    "another sign than =": ("PS=", "PS:"),
    "a line end behind the key": ("PS=", "PS\n="),
    "a & too many": ("&PS=", "&PS=1&"),
    "a command that lacks PS": ("CMD=Login&", "CMD=CLTMSG&UN=10002&MG=hi&"),
    "as the command": ("CMD=Login", f"CMD=PS={PASSWORD}"),
    "a line end in the value": (f"&PS={PASSWORD[:12]}", f"&PS={PASSWORD[:12]}\n"),
    "as the key": ("&PS=", f"&PS:{PASSWORD}=1&PS="),
    "twice": ("&M5=", f"&PS={PASSWORD}&M5="),
    "as the number": ("&UIN=10001&PS=", "&UIN="),
}


def broken_lines() -> dict[str, tuple[bytes, bytes]]:
    """Return the broken lines by what is wrong with them: who says them, and the bytes."""
    line = login().decode().strip()
    lines = {
        case: (b"client", line.replace(old, new).encode()) for case, (old, new) in _CHANGES.items()
    }
    talk = "VER=1.4&CON=1&CMD=CLTMSG&SEQ=9&UIN=10001&SID=&XP=C4CA4238A0B92383&UN=10002&MG="
    for case, words in {
        "in a text": f"mine is PS={PASSWORD}",
        "in a text, escaped": f"mine is%0aPS%3D{PASSWORD} %26",
        "in a text, behind an escape": f"mine is%2CPS%20={PASSWORD}",
        "in a text with a raw &": f"hi & PS={PASSWORD}",
    }.items():
        lines[case] = (b"client", (talk + words).encode())
    lines["the rest of a value"] = (b"client", line[line.index("PS=") + 9 :].encode())
    keys = f"&RS=0&HI=60&LI=300SG={SESSION}"
    lines["a session key"] = (b"server", said("Login", 200, rest=keys).strip())
    names = f"&NP=65535&SN=2&UN=10002,10003,&FC=0,0,&NK=Anna,SG={SESSION},"
    lines["in a list"] = (b"server", said("SIMPLEINFO2", 201, rest=names).strip())
    return lines


def cut_in_secrets(line: bytes) -> list[bytes]:
    """Return the line cut within what is secret, as where a capture has no more of it."""
    secrets = [one for one in (PASSWORD.encode(), SESSION.encode()) if one in line]
    return [line[: line.index(one) + size] for one in secrets for size in (13, 31)]


def leaked(shown: str) -> list[str]:
    """Return the lines of an output that have a part of a secret in them."""
    parts = {
        secret[place : place + PLACES]
        for secret in (PASSWORD, SESSION)
        for place in range(len(secret) - PLACES + 1)
    }
    return [line for line in shown.splitlines() if any(part in line for part in parts)]
