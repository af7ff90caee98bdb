"""Messages for tests, written as lines."""

from kqq.infer.parts import Message


def said(line: str, peer: int = 1, time: float = 0.0) -> Message:
    """Return the message in `> a=1&b=2` (of a client) or `< a=1` (of the server)."""
    pairs = [part.partition("=") for part in line[2:].split("&")]
    names = tuple(name for name, _, _ in pairs)
    values = tuple(value for _, _, value in pairs)
    who = int(line[0] == "<")
    return Message(peer, who, 0, time, "raw", names, values, line[2:], peer)


def conversation(*lines: str, peer: int = 1) -> list[Message]:
    """Return messages, a second after each other."""
    return [said(line, peer, float(place)) for place, line in enumerate(lines)]
