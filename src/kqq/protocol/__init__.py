r"""The text protocol of Mobile QQ, versions 1.0 to 1.4: no sockets, no clock.

    line = Line.decode(b"VER=1.4&CON=1&CMD=CLTMSG&SEQ=2&UIN=10001&SID=&XP=&UN=10002&MG=hi\r\n")
    message = decode(line, sender=Role.CLIENT)  # CltMsg(seq="2", uin=10001, to=10002, text="hi")
    encode(CltMsgReply(seq=message.seq, uin=message.uin))

The messages are in `kqq.protocol.catalogue` and here.
"""

from kqq.protocol.catalogue import *  # noqa: F403
from kqq.protocol.catalogue import __all__ as _messages
from kqq.protocol.connection import (
    Answered,
    Closed,
    Connection,
    Event,
    Expired,
    Framing,
    Idle,
    Limits,
)
from kqq.protocol.fields import escape, unescape
from kqq.protocol.messages import Role, decode, encode, failure
from kqq.protocol.post import (
    HttpRequest,
    HttpResponse,
    PostReader,
    ResponseReader,
    http_request,
    http_response,
    looks_like_http,
)
from kqq.protocol.schema import (
    V1_1,
    V1_4,
    V1_4_SIGN_IN,
    Command,
    Document,
    Failure,
    Head,
    Message,
    Problem,
    Push,
    Reply,
    Request,
    Unreadable,
)
from kqq.protocol.wire import LINE_LIMIT, Line, LineBuffer, mask, show

__all__ = [  # noqa: PLE0604
    "LINE_LIMIT",
    "V1_1",
    "V1_4",
    "V1_4_SIGN_IN",
    "Answered",
    "Closed",
    "Command",
    "Connection",
    "Document",
    "Event",
    "Expired",
    "Failure",
    "Framing",
    "Head",
    "HttpRequest",
    "HttpResponse",
    "Idle",
    "Limits",
    "Line",
    "LineBuffer",
    "Message",
    "PostReader",
    "Problem",
    "Push",
    "Reply",
    "Request",
    "ResponseReader",
    "Role",
    "Unreadable",
    "decode",
    "encode",
    "escape",
    "failure",
    "http_request",
    "http_response",
    "looks_like_http",
    "mask",
    "show",
    "unescape",
    *_messages,
]
