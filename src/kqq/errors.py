"""Everything kqq raises on purpose, as one tree.

    KQQError
    ├── ProtocolError
    │   ├── LocalProtocolError      we were asked to send what the catalogue forbids
    │   ├── RemoteProtocolError     the other end broke the framing; the connection is over
    │   └── UnexpectedReply         an answer can be read and makes no sense
    ├── CommandError                the server said no
    │   ├── NotSignedIn             RES=20
    │   ├── NoSuchNumber            RES=5
    │   ├── SignInRefused           Login with RS=1
    │   ├── CaptchaWanted           a picture came and nobody was there to read it
    │   └── Refused                 any other RES
    ├── ConnectionLost              the connection ended before the answer came
    ├── TimedOut                    the answer did not come in time
    ├── DiscoveryError              a server-config document cannot be used
    ├── PlayError                   a transcript cannot be read
    ├── CaptureError                a capture cannot be read, or cannot be made
    ├── AccountError                an account cannot be as it was asked for
    ├── ConfigError                 a setting or an address cannot be used
    ├── StoreError                  the database cannot be used
    └── PictureError                bytes are no picture that can be drawn

A message shows the offending bytes (secrets removed), the rule, and what to do.
"""


class KQQError(Exception):
    """The root of the tree; catch it to catch all that kqq raises on purpose."""


class ProtocolError(KQQError):
    """Something on the wire, or meant for it, breaks a rule of the protocol."""


class LocalProtocolError(ProtocolError):
    """We were asked to send what must not be sent; nothing was sent."""


class RemoteProtocolError(ProtocolError):
    """The other end broke the framing; nothing after that point can be trusted."""


class UnexpectedReply(ProtocolError):
    """An answer can be read, but makes no sense; the connection can still be used."""


class CommandError(KQQError):
    """The server said no.

    `command` is the command that was refused, `res` the `RES` of the refusal.
    """

    def __init__(self, message: str, *, command: str, res: int) -> None:
        super().__init__(message)
        self.command = command
        self.res = res


class NotSignedIn(CommandError):
    """`RES=20`: not signed in, or signed in elsewhere since."""


class NoSuchNumber(CommandError):
    """`RES=5`: the server has no such number."""


class SignInRefused(CommandError):
    """`RS=1`: the sign-in was refused; `reason` is what the server says of it (`RA`)."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message, command="Login", res=0)
        self.reason = reason


class CaptchaWanted(CommandError):
    """The server showed a captcha and nobody answered it; `image` is the picture as PNG."""

    def __init__(self, message: str, *, image: bytes) -> None:
        super().__init__(message, command="Login", res=0)
        self.image = image


class Refused(CommandError):
    """Any other `RES`: the server will not do it, and the protocol has no words for why."""


class ConnectionLost(KQQError):
    """The connection ended, or could not be made."""


class TimedOut(KQQError):
    """No answer came in time; whether the server acted on the request is not known."""


class DiscoveryError(KQQError):
    """A server-config document cannot be had, is none, or lists no server that can be used."""


class PlayError(KQQError):
    """A transcript (`.kqq`) cannot be read; the message names the line and what is allowed."""


class CaptureError(KQQError):
    """A capture cannot be read at all, or the system's tools for capturing fail; says why."""


class AccountError(KQQError):
    """An account, or a friendship, cannot be as it was asked for; nothing was changed."""


class ConfigError(KQQError):
    """A setting, an address or a folder cannot be used; the message says which and why."""


class StoreError(KQQError):
    """The database cannot be opened, migrated or written."""


class PictureError(KQQError):
    """A picture cannot be drawn: it is none, is broken, or is too large."""
