"""What `kqq.protocol` offers."""

import types

import pytest

import kqq.protocol
from kqq.protocol import *  # noqa: F403
from kqq.protocol import CltMsg, CltMsgReply, Line, Message, Role, decode, encode
from kqq.protocol.export import specs

PUBLIC = {
    name
    for name, one in vars(kqq.protocol).items()
    if not name.startswith("_") and not isinstance(one, types.ModuleType)
}


def test_all_names_what_can_be_imported() -> None:
    """`__all__` has each public name once, and no other."""
    assert len(set(kqq.protocol.__all__)) == len(kqq.protocol.__all__)
    assert set(kqq.protocol.__all__) == PUBLIC
    assert globals().keys() >= PUBLIC


@pytest.mark.parametrize("cls", [spec.cls for spec in specs()], ids=lambda cls: cls.__name__)
def test_every_message_can_be_imported(cls: type[Message]) -> None:
    """Each message of the catalogue is a public name of the package."""
    assert getattr(kqq.protocol, cls.__name__) is cls


def test_the_example_works() -> None:
    """The lines of the package's text do what they say."""
    doc = kqq.protocol.__doc__
    assert doc is not None
    example = "\n".join(row.strip() for row in doc.split("\n") if row.startswith("    "))
    space = dict(vars(kqq.protocol))
    exec(example, space)
    assert space["message"] == CltMsg(seq="2", uin=10001, to=10002, text="hi", head=HEAD)
    assert space["line"] == LINE


LINE = Line("VER=1.4&CON=1&CMD=CLTMSG&SEQ=2&UIN=10001&SID=&XP=&UN=10002&MG=hi")
HEAD = kqq.protocol.Head("1.4", "1", "", "")


def test_reading_and_answering_by_the_public_names() -> None:
    """What the example writes is the reply that was asked for."""
    message = decode(LINE, sender=Role.CLIENT)
    assert isinstance(message, CltMsg)
    reply = encode(CltMsgReply(seq=message.seq, uin=message.uin))
    assert reply == b"VER=1.1&CMD=CLTMSG&SEQ=2&UIN=10001&RES=0"


def test_public_things_are_described() -> None:
    """Each public class and function has a docstring of its own."""
    for name in PUBLIC:
        one = getattr(kqq.protocol, name)
        if isinstance(one, type | types.FunctionType):
            assert one.__doc__, name
            assert not one.__doc__.startswith(f"{name}("), name
