"""The dead-man ping: an outside service is called at the end of every complete tick, and raises the alarm when that stops.

Only so is it noticed that the daemon, the code server or the whole machine is gone.
"""

import http.client
import urllib.error
import urllib.request

SECONDS = 4.0


def ping(url: str) -> str | None:
    """Call the URL; why that failed, without the URL, or None. Any answer below HTTP 400 will do."""
    try:
        # Not httpx: that logs every address, and this one is a secret.
        request = urllib.request.Request(url, headers={"User-Agent": "polypipe"})  # noqa: S310 -- http or https: settings.py
        with urllib.request.urlopen(request, timeout=SECONDS):  # noqa: S310  # nosec B310
            return None
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}"
    except urllib.error.URLError as error:
        return f"no connection ({type(error.reason).__name__})"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"no answer ({type(error).__name__})"
