"""What holds for every request of a browser: who may ask at all, and what pages may do.

A page of another site can make a browser send requests here, with its cookies. So what changes
something must come from our own pages: its `Origin` is ours, and it carries a word that only they
can know (`X-CSRF`). Our pages in turn run no script but our files, and no markup from texts.
"""

import logging
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

from kqq.errors import AccountError, ConfigError, StoreError
from kqq.server.admin import NoServer
from kqq.server.checks import TooBusy
from kqq.server.logs import event
from kqq.server.web.site import Refused, is_secure, refusal, site_of, visit_held

logger = logging.getLogger("kqq.web")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; media-src 'self' data: blob:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types kqq-worker"
)
"""The content-security policy of every page."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_OF_FILES = {"X-Content-Type-Options", "Cross-Origin-Resource-Policy"}
"""What is said with scripts, styles and pictures, which are nothing by themselves: the rest would
be half of what a small file takes."""
_A_YEAR = "max-age=31536000"
_SAFE = {"GET", "HEAD", "OPTIONS"}
_BEFORE_SIGN_IN = {"/api/sign-in", "/api/sign-up", "/api/first"}
"""What a browser may ask for that has no word yet; from which page it comes must be right."""


@web.middleware
async def safely(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a request that may be answered; whatever fails is said as JSON."""
    try:
        _check_host(request)
        is_socket = request.headers.get("Upgrade", "").lower() == "websocket"
        if is_socket or request.method not in _SAFE:
            _check_origin(request, is_required=is_socket and not _is_program(request))
        if request.method not in _SAFE:
            _check_word(request)
        response = await handler(request)
    except Refused as refused:
        response = refusal(refused)
    except web.HTTPException as error:
        response = _http_refusal(error)
    except (AccountError, ConfigError, NoServer, StoreError, TooBusy) as error:
        response = refusal(_domain_refusal(error))
    except Exception as error:  # noqa: BLE001  # one bad request must not end the connection
        number = site_of(request).services.random(4).hex()
        event(logger, logging.ERROR, "failed", error=error, id=number, path=request.path)
        response = refusal(Refused(500, "failed", f"the server failed; its log has {number}"))
    return response


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Say with every answer what pages may do, and not what the server is made of."""
    is_part = request.path.startswith("/static/") and response.content_type != "text/html"
    for name, value in HEADERS.items():
        if name in _OF_FILES or not is_part or response.content_type == "image/svg+xml":
            response.headers.setdefault(name, value)
    response.headers["Server"] = "kqq"
    if is_secure(request):
        response.headers.setdefault("Strict-Transport-Security", _A_YEAR)


def _domain_refusal(error: Exception) -> Refused:
    """Return what an exception of the domain is to a page."""
    if isinstance(error, AccountError):
        return Refused(400, "account", str(error))
    if isinstance(error, NoServer):
        return Refused(503, "no_server", str(error))
    if isinstance(error, ConfigError):
        return Refused(400, "config", str(error))
    if isinstance(error, TooBusy):
        return Refused(503, "busy", "too many passwords are waiting to be checked; try again")
    event(logger, logging.ERROR, "cannot store", why=error)
    return Refused(503, "store", "the server cannot read or write its database; its log says why")


def _http_refusal(error: web.HTTPException) -> web.StreamResponse:
    """Return what the library says as our own pages say it."""
    if error.status < 400:  # an answer that is raised, such as a redirection
        raise error
    code = {404: "not_found", 405: "method", 413: "bad_request"}.get(error.status, "bad_request")
    response = refusal(Refused(error.status, code, error.reason))
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def _check_host(request: web.Request) -> None:
    """Raise Refused if a name that is not ours leads to a door for this machine only.

    Any site can have its own name lead here, and then its pages would be of one origin with ours.
    """
    try:
        name = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        raise Refused(400, "host", "the header Host is none") from None
    transport = request.transport
    own = transport.get_extra_info("sockname") if transport is not None else None
    if not isinstance(own, tuple) or not ip_address(own[0].partition("%")[0]).is_loopback:
        return
    if name == "localhost" or name.endswith(".localhost") or _is_address(name):
        return
    config = site_of(request).services.config
    if name not in {config.advertise, *(urlsplit(one).hostname for one in config.web_origins)}:
        raise Refused(
            421, "host", f"this server does not go by the name {name[:200]!r}; set web_origins"
        )


def _check_origin(request: web.Request, *, is_required: bool) -> None:
    """Raise Refused if the request was made by a page that is not ours.

    What has no `Origin` is no browser's; a WebSocket must have one, since nothing else guards it.
    """
    origin = request.headers.get("Origin")
    if origin is None:
        if is_required or request.headers.get("Sec-Fetch-Site", "same-origin") not in {
            "same-origin",
            "none",
        }:
            raise Refused(403, "origin", "the request says not from which page it comes")
        return
    config = site_of(request).services.config
    scheme = "https" if is_secure(request) else "http"
    if origin not in {f"{scheme}://{request.host}", *config.web_origins}:
        raise Refused(403, "origin", "the request comes from a page of another site")


def _check_word(request: web.Request) -> None:
    """Raise Refused if a request that changes something lacks the word of its visit.

    Programs with a token have no cookie, and no browser adds a token by itself.
    """
    if _is_program(request) or request.path in _BEFORE_SIGN_IN:
        return
    visit = visit_held(request)
    if visit is not None and request.headers.get("X-CSRF", "") != visit.csrf:
        raise Refused(403, "csrf", "the page is too old; load it again")


def _is_program(request: web.Request) -> bool:
    """Return whether a token is shown where one counts; no page of elsewhere can have it added."""
    return request.path.startswith("/api/v1/") and "Authorization" in request.headers


def _is_address(name: str) -> bool:
    try:
        ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True
