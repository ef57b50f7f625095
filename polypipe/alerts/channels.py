"""The user's channels, through Apprise.

Their URLs hold secrets: outside this module a channel is called `tgram-1`, and an error is one of our own phrases, never a
text from Apprise or from the service. Apprise (33 MB, half a second) is imported with the first send.
"""

import logging
import re
import sys
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from polypipe.alerts.deliveries import Outcome
from polypipe.alerts.messages import RECOVERED, Message

if TYPE_CHECKING:
    import apprise

CONNECT_SECONDS, READ_SECONDS = 3.0, 10.0
TOTAL_SECONDS = 15.0
"""Limit of one send, after which its outcome is unknown. A lower limit would send the first message again and again to a
service that accepts every message but answers late, and never the next one."""

TITLE_MARKUP = 40
"""Characters of markup that a service may add to a title that it sends as part of the body."""

CUT = "… in full: polypipe alert list"

_NEVER_CONNECTED = ("NewConnectionError", "ConnectTimeoutError", "NameResolutionError", "Connection refused")
_CHATTY = ("apprise", "urllib3", "requests")  # at DEBUG, and some at WARNING, they write addresses with tokens


def channel_names(urls: Iterable[str]) -> dict[str, str]:
    """Name -> URL, in the order of the setting. A name is the scheme and a number; a URL given twice counts once."""
    names: dict[str, str] = {}
    for url in dict.fromkeys(urls):
        scheme = url.split("://")[0].lower()
        number = sum(name.rpartition("-")[0] == scheme for name in names) + 1
        names[f"{scheme}-{number}"] = url
    return names


class Channels:
    """The channels of the settings, by name. In the demo every message says that it is simulated."""

    def __init__(self, urls: Iterable[str], simulated: bool = False) -> None:
        self._urls = channel_names(urls)
        self._simulated = simulated
        self._open: dict[str, apprise.Apprise | None] = {}

    @property
    def names(self) -> list[str]:
        """Names of the channels, in the order of the setting."""
        return list(self._urls)

    def send(self, name: str, message: Message) -> Outcome:
        """Send now, in at most `TOTAL_SECONDS`. Errors of the channel become an `Outcome`."""
        import apprise

        for chatty in _CHATTY:
            logging.getLogger(chatty).propagate = False
        logging.getLogger("apprise").setLevel(logging.DEBUG)  # otherwise the result lacks the cause
        try:
            channel = self._channel(name)
        except Exception as error:  # the plugins' parsers raise any exception, with the URL in its message
            return Outcome(False, f"its URL cannot be read ({type(error).__name__})")
        if channel is None:
            return Outcome(False, "Apprise does not know this kind of URL, or something is missing in it")
        title = f"{'SIMULATED ' if self._simulated else ''}polypipe {message.title}"
        body = f"SIMULATED DATA\n{message.body}" if self._simulated else message.body
        began = time.monotonic()
        try:
            result = channel.notify(
                title=title,
                body=_fitting(body, _room(next(iter(channel)), title)),
                body_format=apprise.NotifyFormat.TEXT,
                notify_type=_notify_type(message.severity),
                interpret_escapes=False,
                timeout=TOTAL_SECONDS,
                log_level=logging.DEBUG,  # kept in the result, which `_failure` searches for the cause
            )
        except Exception as error:
            return Outcome(False, f"the send failed ({type(error).__name__})", certain=False)
        if result:
            return Outcome(True)
        if result.status == apprise.AppriseResultStatus.TIMEOUT:
            return Outcome(False, f"no answer within {TOTAL_SECONDS:.0f} s", certain=False)
        return _failure(" ".join(str(entry) for entry in result.logs()), time.monotonic() - began)

    def _channel(self, name: str) -> "apprise.Apprise | None":
        if name not in self._open:
            import apprise

            asset = apprise.AppriseAsset(
                app_id="polypipe",
                app_desc="polypipe",
                app_url="",
                async_mode=False,
                storage_mode=apprise.PersistentStoreMode.MEMORY,
                interpret_escapes=False,
            )
            service = apprise.Apprise.instantiate(self._urls[name], asset=asset, suppress_exceptions=True)
            if service is None:
                self._open[name] = None
            else:
                service.socket_connect_timeout, service.socket_read_timeout = CONNECT_SECONDS, READ_SECONDS
                channel = apprise.Apprise(asset=asset)
                channel.add(service)
                self._open[name] = channel
        return self._open[name]


def _room(service: "apprise.NotifyBase", title: str) -> int:
    """Characters of a body that the service accepts. It would reject a longer one at every retry, and block the queue.

    With `overflow=split` in its URL, Apprise splits a long message instead.
    """
    import apprise

    if service.overflow_mode != apprise.OverflowMode.UPSTREAM:
        return sys.maxsize
    joined = service.title_maxlen <= 0 or service.overflow_amalgamate_title  # the title is sent as part of the body
    return int(service.body_maxlen) - (len(title) + TITLE_MARKUP if joined else 0)


def _fitting(body: str, room: int) -> str:
    """The body, or as many of its first lines as fit, with a note that it was cut."""
    if len(body) <= room:
        return body
    kept = ""
    for line in body.splitlines(keepends=True):
        if len(kept) + len(line) + len(CUT) > room:
            break
        kept += line
    return kept + CUT if kept else body[: max(room - 1, 0)] + "…"


def _notify_type(severity: str) -> "apprise.NotifyType":
    import apprise

    return {
        RECOVERED: apprise.NotifyType.SUCCESS,
        "critical": apprise.NotifyType.FAILURE,
        "warning": apprise.NotifyType.WARNING,
    }.get(severity, apprise.NotifyType.INFO)


def _failure(log: str, seconds: float) -> Outcome:
    """The reason, in our own words, from Apprise's log, which may contain anything.

    Only an answer, or a connection that was never made, proves that the message did not arrive, and only if no other
    recipient of the URL has it.
    """
    if status := re.search(r"\berror=(\d{3})\b", log):
        return Outcome(False, f"it answered HTTP {status[1]}", certain=not re.search(r"\bSent ", log))
    if any(cause in log for cause in _NEVER_CONNECTED):
        return Outcome(False, "no connection")
    if seconds >= READ_SECONDS:
        return Outcome(False, f"no answer within {seconds:.0f} s", certain=False)
    return Outcome(False, "the connection broke, or it refused the message", certain=False)
