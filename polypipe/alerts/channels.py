"""The user's channels, through Apprise. Their URLs hold secrets: outside this module a channel is `tgram-1`, and what went
wrong with it is one of our own phrases, never a text of Apprise's or of the other side.

Apprise (33 MB, half a second) is imported when the first letter is sent.
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
"""For one sending, whatever the other side does; after that its outcome counts as unknown. Not less: a service that takes
every message but answers later than this gets the first one again and again, and never the next."""

TITLE_MARKUP = 40
"""Characters that a service may put around a title which it sends as part of the body."""

CUT = "… all of it: polypipe alert list"

_NEVER_CONNECTED = ("NewConnectionError", "ConnectTimeoutError", "NameResolutionError", "Connection refused")
_CHATTY = ("apprise", "urllib3", "requests")  # at DEBUG, and some at WARNING, they write addresses with tokens


def channel_names(urls: Iterable[str]) -> dict[str, str]:
    """Name -> URL, in the order of the setting: the scheme, and which one of that scheme. A URL given twice counts once."""
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
        """In the order of the setting."""
        return list(self._urls)

    def send(self, name: str, message: Message) -> Outcome:
        """Send now, in at most `TOTAL_SECONDS`. Never raises for what the channel does."""
        import apprise

        for chatty in _CHATTY:
            logging.getLogger(chatty).propagate = False
        logging.getLogger("apprise").setLevel(logging.DEBUG)  # else the result would not have the cause either
        try:
            channel = self._channel(name)
        except Exception as error:  # the plugins' own parsers raise what they like, with the URL in the message
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
                log_level=logging.DEBUG,  # kept in the result, where the cause of a failed connection is looked up
            )
        except Exception as error:
            return Outcome(False, f"sending failed ({type(error).__name__})", certain=False)
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
    """Characters of a body that the service takes; what is longer it would refuse, again and again, and with it all that
    waits behind. A URL with `overflow=split` has Apprise make several messages of it."""
    import apprise

    if service.overflow_mode != apprise.OverflowMode.UPSTREAM:
        return sys.maxsize
    joined = service.title_maxlen <= 0 or service.overflow_amalgamate_title  # the title is sent as part of the body
    return int(service.body_maxlen) - (len(title) + TITLE_MARKUP if joined else 0)


def _fitting(body: str, room: int) -> str:
    """The body, or as many whole lines from its top as there is room for, with a word that there was more."""
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
    """Why, in our own words, from Apprise's log, which may hold anything.

    Only an answer, or a connection that never came about, proves that the message did not arrive; and that only where the
    URL does not name several recipients of whom another has it.
    """
    if status := re.search(r"\berror=(\d{3})\b", log):
        return Outcome(False, f"it answered HTTP {status[1]}", certain=not re.search(r"\bSent ", log))
    if any(cause in log for cause in _NEVER_CONNECTED):
        return Outcome(False, "no connection")
    if seconds >= READ_SECONDS:
        return Outcome(False, f"no answer within {seconds:.0f} s", certain=False)
    return Outcome(False, "the connection broke, or it refused the message", certain=False)
