"""The tree of errors: its shape, and what the errors carry."""

import pytest

from kqq import errors

PARENTS = {
    "KQQError": "Exception",
    "ProtocolError": "KQQError",
    "LocalProtocolError": "ProtocolError",
    "RemoteProtocolError": "ProtocolError",
    "CommandError": "KQQError",
    "NotSignedIn": "CommandError",
    "NoSuchNumber": "CommandError",
    "SignInRefused": "CommandError",
    "CaptchaWanted": "CommandError",
    "Refused": "CommandError",
    "ConnectionLost": "KQQError",
    "TimedOut": "KQQError",
    "DiscoveryError": "KQQError",
    "PlayError": "KQQError",
    "CaptureError": "KQQError",
    "AccountError": "KQQError",
    "ConfigError": "KQQError",
    "UnexpectedReply": "ProtocolError",
    "StoreError": "KQQError",
    "PictureError": "KQQError",
}


def _classes() -> dict[str, type]:
    return {name: one for name, one in vars(errors).items() if isinstance(one, type)}


def test_the_tree_is_as_promised() -> None:
    """Each error has the parent that the module's text gives it, and there are no others."""
    found = {name: one.__bases__[0].__name__ for name, one in _classes().items()}
    assert found == PARENTS


@pytest.mark.parametrize("name", PARENTS)
def test_every_error_is_in_the_picture_and_described(name: str) -> None:
    """Each error stands in the module's picture and has a docstring of its own."""
    assert errors.__doc__ is not None
    assert name in errors.__doc__
    assert _classes()[name].__doc__


@pytest.mark.parametrize(
    "kind", [errors.CommandError, errors.NotSignedIn, errors.NoSuchNumber, errors.Refused]
)
def test_a_refusal_says_which_command_and_code(kind: type[errors.CommandError]) -> None:
    """An error made from a refusal carries the command and its RES."""
    error = kind("CLTMSG was refused", command="CLTMSG", res=20)
    assert (str(error), error.command, error.res) == ("CLTMSG was refused", "CLTMSG", 20)


def test_a_refused_sign_in_says_why() -> None:
    """SignInRefused carries the words of the server; the command was accepted, so RES is 0."""
    error = errors.SignInRefused("no", reason="Password error")
    assert (str(error), error.command, error.res, error.reason) == (
        "no",
        "Login",
        0,
        "Password error",
    )


def test_a_wanted_captcha_carries_the_picture() -> None:
    """CaptchaWanted carries the picture; the command was accepted, so RES is 0."""
    error = errors.CaptchaWanted("read this", image=b"\x89PNG")
    assert (str(error), error.command, error.res, error.image) == (
        "read this",
        "Login",
        0,
        b"\x89PNG",
    )
