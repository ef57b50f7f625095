"""The dead-man ping: every complete tick calls an outside service, which raises an alarm when the calls stop.

Nothing else can report that the daemon, the code server or the whole machine is down.
"""

import http.client
import urllib.error
import urllib.request

SECONDS = 4.0


def ping(url: str) -> str | None:
    """Call the URL. Returns None on any answer below HTTP 400, otherwise the reason, without the URL."""
    try:
        # Not httpx: it logs every URL, and this one is a secret.
        request = urllib.request.Request(url, headers={"User-Agent": "polypipe"})  # noqa: S310 -- http or https: settings.py
        with urllib.request.urlopen(request, timeout=SECONDS):  # noqa: S310  # nosec B310
            return None
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}"
    except urllib.error.URLError as error:
        return f"no connection ({type(error.reason).__name__})"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"no answer ({type(error).__name__})"
