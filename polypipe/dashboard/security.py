"""Access control: the Host header, the token, and the security headers of every response."""

import hashlib
import hmac
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from polypipe.dashboard.api.answers import error
from polypipe.runtime.ports import is_loopback
from polypipe.settings import Settings

COOKIE = "polypipe_dashboard"
COOKIE_DAYS = 90

# No inline script, and no inline style but the empty one, which Plotly adds and then fills by script. A chart's PNG is made
# through data: and blob: images.
EMPTY_STYLE = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
POLICY = (
    f"default-src 'self'; style-src 'self' {EMPTY_STYLE}; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Guard:
    """The outermost middleware: refuses foreign Host headers and wrong tokens, and adds `HEADERS`.

    Without the Host check, another site could read our answers by pointing its own name at 127.0.0.1 (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._token = settings.dashboard_token
        self._hosts = {"127.0.0.1", "localhost", "::1", settings.dashboard_host.lower()}
        # A machine has many names. Outside requests must have the token, which a foreign page does not know.
        self._any_host = not is_loopback(settings.dashboard_host) and self._token is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self.app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._any_host and _host(headers.get("host", "")) not in self._hosts:
            return error(400, "unknown host name; open the dashboard as 127.0.0.1 or localhost")
        if self._token is None:
            return None
        given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        tokens = [value for name, value in given if name == "token"]
        if tokens and all(_same(value, self._token) for value in tokens):
            return self._signed_in(scope["path"], [(name, value) for name, value in given if name != "token"])
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(bearer.strip(), self._token):
            return None
        if _same(cookie_parser(headers.get("cookie", "")).get(COOKIE, ""), _cookie_of(self._token)):
            return None
        return error(401, "token missing or wrong; open /?token=… once in this browser, or send Authorization: Bearer …")

    def _signed_in(self, path: str, rest: list[tuple[str, str]]) -> Response:
        """Sets the cookie and redirects, which removes the token from the address bar and the history."""
        assert self._token is not None
        target = "/" + path.lstrip("/") + (f"?{urlencode(rest)}" if rest else "")
        response = RedirectResponse(target, 303, {"Cache-Control": "no-store"})
        response.set_cookie(
            COOKIE, _cookie_of(self._token), max_age=COOKIE_DAYS * 86_400, httponly=True, samesite="strict", path="/"
        )
        return response


def _host(header: str) -> str:
    """The name in a Host header, without its port; empty if the header is malformed."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(), secret.encode())


def _cookie_of(token: str) -> str:
    """The cookie's value: proof of the token, not the token."""
    return hmac.new(token.encode(), b"polypipe dashboard cookie", hashlib.sha256).hexdigest()
