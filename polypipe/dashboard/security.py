"""Who may ask: the Host header, the token, and what browsers are told to forbid. Nothing here knows of the data."""

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

# No inline script, and of inline styles only the empty one: Plotly adds one, and then its rules to it by script. data: and
# blob: images are what the PNG of a chart is made through.
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
    """The outermost middleware: refuses foreign Host headers and wrong tokens, and adds the headers above.

    Without the Host check a page of another site could, by pointing its own name at 127.0.0.1, read our answers.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._token = settings.dashboard_token
        self._hosts = {"127.0.0.1", "localhost", "::1", settings.dashboard_host.lower()}
        # A machine has many names; whoever may come from outside has to show the token, which a foreign page cannot.
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
            return error(400, "this name is not one of the dashboard's: ask for it by 127.0.0.1 or localhost")
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
        return error(401, "a token is needed: open /?token=… once in this browser, or send Authorization: Bearer …")

    def _signed_in(self, path: str, rest: list[tuple[str, str]]) -> Response:
        """Remember the browser and take the token out of its address bar and history."""
        assert self._token is not None
        target = "/" + path.lstrip("/") + (f"?{urlencode(rest)}" if rest else "")
        response = RedirectResponse(target, 303, {"Cache-Control": "no-store"})
        response.set_cookie(
            COOKIE, _cookie_of(self._token), max_age=COOKIE_DAYS * 86_400, httponly=True, samesite="strict", path="/"
        )
        return response


def _host(header: str) -> str:
    """The name in a Host header, without its port; empty when it is none."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(), secret.encode())


def _cookie_of(token: str) -> str:
    """What the browser keeps: proof of the token, not the token."""
    return hmac.new(token.encode(), b"polypipe dashboard cookie", hashlib.sha256).hexdigest()
