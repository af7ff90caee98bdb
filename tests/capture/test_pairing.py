"""Which reply answers which request."""

from kqq.capture.events import Said
from kqq.capture.meaning import meaning
from kqq.capture.pairing import Pairing
from kqq.protocol import Line, Role


def said(text: str, sender: Role) -> Said:
    """Return a line as it was said."""
    line = Line(text)
    return Said(1, None, 1, 1, sender, line, meaning(line, sender)[0])


def ask(text: str) -> Said:
    """Return a request."""
    return said(f"VER=1.1&{text}", Role.CLIENT)


def answer(text: str) -> Said:
    """Return a reply."""
    return said(f"VER=1.1&{text}", Role.SERVER)


def test_a_reply_answers_the_request_with_its_number_and_command() -> None:
    """Once; in any case, and in any order."""
    pairing = Pairing()
    first, second = ask("CMD=List&SEQ=1&UIN=1"), ask("CMD=Logout&SEQ=2&UIN=1")
    assert pairing.ask(first) is None
    assert pairing.ask(second) is None
    assert pairing.answer(answer("CMD=LOGOUT&SEQ=2&UIN=1&RES=0")) is second
    assert pairing.answer(answer("CMD=LIST&SEQ=1&UIN=1&RES=0&FN=0")) is first
    assert pairing.answer(answer("CMD=LIST&SEQ=1&UIN=1&RES=0&FN=0")) is None
    assert pairing.waiting == []


def test_pushes_answer_nothing() -> None:
    """They number themselves, and may have the number of a request."""
    pairing = Pairing()
    pairing.ask(ask("CMD=List&SEQ=1&UIN=1"))
    assert pairing.answer(answer("CMD=update_stat&SEQ=1&UIN=1&RES=0&ST=10&UN=2")) is None
    assert (
        pairing.answer(said("SERERCONFIG_NUM=0&SERVERCONFIG_TYPE=&SERVERCONFIG_URL=", Role.SERVER))
        is None
    )
    assert len(pairing.waiting) == 1


def test_a_captcha_answers_a_sign_in() -> None:
    """And the sign-in answers the letters, whatever its number."""
    pairing = Pairing()
    login = ask(f"CMD=Login&SEQ=1&UIN=1&PS={'0' * 32}&M5=1&LC=812822641C978097")
    pairing.ask(login)
    assert pairing.answer(answer("CMD=LIST&SEQ=1&UIN=1&RES=0&FN=0")) is None
    picture = answer("CMD=VERIFYCODE&SEQ=1&UIN=1&RES=0&SC=1&NT=&VC=00")
    assert pairing.answer(picture) is login
    letters = ask("CMD=VERIFYCODE&SEQ=2&UIN=1&SC=2&VC=ABCD")
    pairing.ask(ask("CMD=List&SEQ=9&UIN=1"))
    pairing.ask(letters)
    assert pairing.answer(answer("CMD=Login&SEQ=1&UIN=1&RES=0&RS=0")) is letters
    assert pairing.answer(answer("CMD=Login&SEQ=1&UIN=1&RES=0&RS=0")) is None


def test_what_cannot_be_read_is_paired_too() -> None:
    """By the number and command it names, if it does."""
    pairing = Pairing()
    dance = ask("CMD=Dance&SEQ=1&UIN=1")
    pairing.ask(dance)
    assert pairing.ask(ask("CMD=Dance")) is None
    assert pairing.waiting == [dance]
    assert pairing.answer(answer("CMD=List&SEQ=1&UIN=1&RES=0&FN=x")) is None
    assert pairing.answer(answer("CMD=DANCE&SEQ=1&UIN=1&RES=1")) is dance


def test_a_request_sent_again_is_told() -> None:
    """If it is the same line, and the first has no answer yet."""
    pairing = Pairing()
    first = ask("CMD=List&SEQ=1&UIN=1")
    assert pairing.ask(first) is None
    assert pairing.ask(ask("CMD=List&SEQ=1&UIN=1")) is first
    assert pairing.ask(ask("CMD=List&SEQ=1&UIN=1&TN=5")) is None


def test_people_are_told_apart_where_connections_are_not_known() -> None:
    """Two may use the same number for the same command."""
    pairing = Pairing(by_person=True)
    pairing.ask(ask("CMD=List&SEQ=1&UIN=1"))
    second = ask("CMD=List&SEQ=1&UIN=2")
    pairing.ask(second)
    assert pairing.answer(answer("CMD=LIST&SEQ=1&UIN=2&RES=0&FN=0")) is second


def test_only_so_many_wait() -> None:
    """The oldest are forgotten."""
    pairing = Pairing(most=3)
    for number in range(5):
        pairing.ask(ask(f"CMD=List&SEQ={number}&UIN=1"))
    assert [one.message.seq for one in pairing.waiting] == ["2", "3", "4"]  # type: ignore[union-attr]


def test_little_is_remembered_of_long_requests() -> None:
    """What may wait for ever must not fill the memory; it is matched all the same."""
    pairing = Pairing()
    long = ask(f"CMD=CLTMSG&SEQ=1&UIN=1&UN=2&MG={'x' * 60_000}")
    assert pairing.ask(long) is None
    (waiting,) = pairing.waiting
    assert (waiting.number, len(waiting.line.text)) == (long.number, 2048)
    assert pairing.ask(long) is waiting
    assert pairing.answer(answer("CMD=CLTMSG&SEQ=1&UIN=1&RES=0")) is not None
    for key in ("CMD", "SEQ", "UIN"):
        strange = Pairing(by_person=True)
        strange.ask(ask(f"CMD=x&SEQ=1&UIN=1&{key}=1".replace(f"{key}=", f"{key}={'y' * 9000}")))
        assert all(len(part) <= 100 for known in strange._waiting for part in known)
