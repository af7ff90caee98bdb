"""What people do in a play, in a few words."""

import pytest

from kqq.charts.cast import Cast
from kqq.charts.statements import Done, done


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Romeo signs in", Done("Romeo", ">", "signs in")),
        ("Romeo signs in as hidden", Done("Romeo", ">", "signs in (hidden)")),
        ("Romeo signs in as ghost", Done("Romeo", ">", "signs in (ghost)")),
        ("Romeo signs out", Done("Romeo", ">", "signs out")),
        ('Romeo sends Juliet "But {soft}"', Done("Romeo", ">", "to Juliet: “But {soft}”")),
        ('Juliet receives Romeo "hi"', Done("Juliet", "<", "from Romeo: “hi”")),
        ('Romeo asks Juliet "please"', Done("Romeo", ">", "asks Juliet to be friends: “please”")),
        ('Romeo asks Juliet ""', Done("Romeo", ">", "asks Juliet to be friends")),
        ('Juliet is asked by Romeo "please"',
         Done("Juliet", "<", "Romeo asks to be friends: “please”")),
        ("Juliet accepts Romeo", Done("Juliet", ">", "accepts Romeo")),
        ("Romeo is accepted by Juliet", Done("Romeo", "<", "Juliet agreed to be friends")),
        ('Juliet refuses Romeo "no"', Done("Juliet", ">", "refuses Romeo: “no”")),
        ('Juliet refuses Romeo ""', Done("Juliet", ">", "refuses Romeo")),
        ('Romeo is refused by Juliet "no"',
         Done("Romeo", "<", "Juliet refused to be friends: “no”")),
        ("Romeo sees Juliet away", Done("Romeo", "<", "Juliet is away")),
        ("Romeo sees Juliet dancing", Done("Romeo", "<", "Juliet is dancing")),
        ("Romeo disconnects", Done("Romeo", "", "disconnects")),
        ("Romeo receives nothing", Done("Romeo", "", "receives nothing")),
        ("Romeo speaks HTTP", Done("Romeo", "", "speaks HTTP")),
        ("clock +180", Done("", "", "3 min later")),
        ("server friends Romeo, Juliet", Done("", "", "server friends Romeo, Juliet")),
        ("what is this\x1b?", Done("", "", "what is this\\x1b?")),
        ("# a comment", Done("", "", "# a comment")),
    ],
)  # fmt: skip
def test_statements(source: str, expected: Done) -> None:
    """Each verb, and what is none."""
    assert done(source, Cast()) == expected


def test_people_in_statements_are_met() -> None:
    """In order of appearance."""
    cast = Cast()
    done("server friends Romeo, Juliet", cast)
    assert (cast.called(10001), cast.called(10002)) == ("Romeo", "Juliet")
