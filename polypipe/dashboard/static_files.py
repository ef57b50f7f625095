"""Files of the page: our own, and plotly.min.js out of the installed wheel. Read once; their addresses are versioned."""

import gzip
import hashlib
import re
from functools import cache
from importlib.metadata import version
from importlib.resources import files

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
PLOTLY = "plotly.min.js"
FOREVER = "public, max-age=31536000, immutable"


class Asset:
    """One file: its bytes, the same gzipped, its media type."""

    def __init__(self, name: str, content: bytes) -> None:
        self.content = content
        self.zipped = gzip.compress(content, 6, mtime=0)
        self.media_type = TYPES[name.rpartition(".")[2]]


@cache
def assets() -> dict[str, Asset]:
    """Every file by name."""
    found = {PLOTLY: Asset(PLOTLY, files("plotly").joinpath("package_data", PLOTLY).read_bytes())}
    for entry in files("polypipe.dashboard").joinpath("static").iterdir():
        if entry.name.rpartition(".")[2] in TYPES:
            found[entry.name] = Asset(entry.name, entry.read_bytes())
    return found


@cache
def foreign_styles() -> list[str]:
    """Ids of the style elements that Plotly puts into a page for maps, unless an element with that id is there already.

    The page has such elements: our policy forbids inline styles, and each would be an error in the console.
    """
    source = assets()[PLOTLY].content.decode("utf-8")
    return re.findall(
        r'getElementById\("([0-9a-f]{64})"\)\)\s*\{\s*(?:var|let|const) \w+\s*=\s*document\.createElement\("style"\)',
        source,
    )


@cache
def modules() -> list[str]:
    """Our modules, so that the page asks for all at once and not as each is found to import others."""
    return sorted(name for name in assets() if name.endswith(".js") and name not in (PLOTLY, "theme.js"))


@cache
def stamp() -> str:
    """Changes with any of the files: part of their address, so that a browser may keep them for ever."""
    digest = hashlib.blake2b(version("plotly").encode(), digest_size=6)
    for name, asset in sorted(assets().items()):
        if name != PLOTLY:
            digest.update(name.encode() + asset.content)
    return digest.hexdigest()


async def static(request: Request) -> Response:
    """A file of the page. Of another stamp than ours, as a page opened before an update asks for: not to be kept."""
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
    return Response(asset.zipped if zipped else asset.content, media_type=asset.media_type, headers=headers)
