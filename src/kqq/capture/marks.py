"""What nothing but the protocol has: keys as only its lines have them, wherever in some bytes.

There are two, because who looks knows different things. Somebody gives us a log for the lines in
it, which may be cut at any place; but a connection that is looked into may be anybody's, and forms
of the web may well begin with a version.
"""

import re

__all__ = ["IN_STREAM", "IN_TEXT"]

_IS = rb"[ \t]{0,8}="
_VERSION = rb"VER" + _IS + rb"[ \t]{0,8}[0-9.]{1,9}[ \t]{0,8}&"
_IN_BOTH = (
    rb"|CMD" + _IS + rb"[^&\r\n]{0,64}&(?:VER|CON|SEQ|UIN)" + _IS
    + rb"|(?:SEQ|UIN)" + _IS + rb"[^&\r\n]{0,32}&CMD" + _IS
    + rb"|SERERCONFIG_NUM" + _IS
)  # fmt: skip

IN_STREAM = re.compile(
    _VERSION + rb"(?:CON=[^&\r\n]{0,16}&)?CMD" + _IS + rb"[^&\r\n]{0,64}&[A-Z]{2,4}" + _IS
    + _IN_BOTH
)  # fmt: skip
"""What tells the protocol from whatever else a connection may carry; it has at most 200 bytes."""
IN_TEXT = re.compile(_VERSION + _IN_BOTH + rb"|VER" + _IS + rb"[^&\r\n]{0,32}&CMD" + _IS)
"""What tells a line, or the start of one, where there is reason to look for it; it finds whatever
`IN_STREAM` finds."""
