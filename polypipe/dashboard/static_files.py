"""The static files of the page: our own, and plotly.min.js from the installed wheel. Their addresses are versioned."""

import gzip
import hashlib
import re
from functools import cache, cached_property
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
PLOTLY = "plotly.min.js"
FOREVER = "public, max-age=31536000, immutable"


class Asset:
    """One file of the page. Its gzipped content is kept from the first request on; the plain one is read when asked for."""

    def __init__(self, name: str, file: Traversable) -> None:
        self.media_type = TYPES[name.rpartition(".")[2]]
        self.content = file.read_bytes

    @cached_property
    def zipped(self) -> bytes:
        return gzip.compress(self.content(), 6, mtime=0)


@cache
def assets() -> dict[str, Asset]:
    """Every file by name."""
    entries = [files("plotly").joinpath("package_data", PLOTLY), *files("polypipe.dashboard").joinpath("static").iterdir()]
    return {entry.name: Asset(entry.name, entry) for entry in entries if entry.name.rpartition(".")[2] in TYPES}


@cache
def foreign_styles() -> list[str]:
    """Ids of the style elements that Plotly adds to a page for maps, unless an element with that id exists.

    The page has empty elements with these ids: our policy forbids inline styles, and each would log an error.
    """
    source = assets()[PLOTLY].content().decode("utf-8")
    return re.findall(
        r'getElementById\("([0-9a-f]{64})"\)\)\s*\{\s*(?:var|let|const) \w+\s*=\s*document\.createElement\("style"\)',
        source,
    )


@cache
def modules() -> list[str]:
    """Our modules, for preload links: the browser requests all at once instead of one import after another."""
    return sorted(name for name in assets() if name.endswith(".js") and name not in (PLOTLY, "theme.js"))


@cache
def stamp() -> str:
    """A hash of all files, part of their addresses, so that a browser may cache them for ever."""
    digest = hashlib.blake2b(version("plotly").encode(), digest_size=6)
    for name, asset in sorted(assets().items()):
        if name != PLOTLY:
            digest.update(name.encode() + asset.content())
    return digest.hexdigest()


def static(request: Request) -> Response:
    """A file of the page. With the stamp of an older page the answer is the current file, not to be cached."""
    asset = assets().get(request.path_params["name"])
    if asset is None:
        raise HTTPException(404)
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    headers = {
        "Cache-Control": FOREVER if request.path_params["stamp"] == stamp() else "no-store",
        "Vary": "Accept-Encoding",
    }
    if zipped:
        headers["Content-Encoding"] = "gzip"
    return Response(asset.zipped if zipped else asset.content(), media_type=asset.media_type, headers=headers)
