#!/usr/bin/env python3
"""Build the wheel, install it in a clean environment outside the checkout, and run `polypipe demo` from there.

Fails if the wheel lacks a file of `polypipe/`, if the demo does not start, if a static file of the page does not answer
200, or if an asset in Dagster's UI has no link to its source. Takes about 20 s; `.ci/run` calls it.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[1]
UV = Path(sys.executable).with_name("uv")
START_SECONDS = 90
STOP_SECONDS = 15

ASSETS = """{ assetNodes { assetKey { path } metadataEntries { ... on CodeReferencesMetadataEntry {
  codeReferences { ... on LocalFileCodeReference { filePath } } } } } }"""


def main() -> None:
    """Run every step in a temporary directory; exit with the reason of the first failure."""
    with tempfile.TemporaryDirectory(prefix="polypipe-wheel-") as temporary:
        directory = Path(temporary)
        wheel = build(directory)
        missing = source_files() - set(zipfile.ZipFile(wheel).namelist())
        if missing:
            sys.exit(f"{wheel.name} lacks {', '.join(sorted(missing))}; add them to package-data in pyproject.toml")
        polypipe = install(wheel, directory / "environment")
        answered = run_demo(polypipe, directory)
    print(f"{wheel.name}: the demo starts, {answered} static files answer 200")


def source_files() -> set[str]:
    """Files of the package that git knows or would add, relative to the checkout."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run([*listed, "polypipe"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {name for name in names.split("\0") if name and (ROOT / name).exists()}


def build(directory: Path) -> Path:
    """Build from a copy of the sources: setuptools would reuse what an earlier build left in the checkout."""
    source = directory / "source"
    for name in source_files() | {"pyproject.toml", "README.md", "LICENSE"}:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--wheel-dir", directory, source], check=True)
    (wheel,) = directory.glob("*.whl")
    return wheel


def install(wheel: Path, environment: Path) -> Path:
    """The wheel with its locked dependencies, from uv's cache if it holds them all; returns the `polypipe` command."""
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    command = [
        UV,
        "pip",
        "install",
        "--quiet",
        "--python",
        environment / "bin" / "python",
        "-c",
        ROOT / "requirements.lock",
    ]
    if subprocess.run([*command, "--offline", wheel], capture_output=True, check=False).returncode:
        subprocess.run([*command, wheel], check=True)
    return environment / "bin" / "polypipe"


def run_demo(polypipe: Path, directory: Path) -> int:
    """Start the demo, check page and UI, stop it; returns how many static files answered."""
    ui, page = free_port(), free_port()
    log = directory / "demo.log"
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "POLYPIPE_HOME": str(directory / "home"),
        "POLYPIPE_WEBSERVER_PORT": str(ui),
        "POLYPIPE_DASHBOARD_PORT": str(page),
    }
    with log.open("w") as output:
        demo = subprocess.Popen(
            [polypipe, "demo", "--events", "60"], cwd=directory, env=environ, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        with httpx.Client(trust_env=False, timeout=20) as client:
            answered = check_static_files(client, f"http://127.0.0.1:{page}", demo, log)
            check_source_links(client, f"http://127.0.0.1:{ui}", demo, log, polypipe.parents[1])
        return answered
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(STOP_SECONDS)


def free_port() -> int:
    """A port of loopback that nothing uses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answer(request: httpx.Request, client: httpx.Client, demo: "subprocess.Popen[bytes]", log: Path) -> httpx.Response:
    """The first 200 within `START_SECONDS`; exits with the demo's log if it ends or does not answer."""
    deadline = time.monotonic() + START_SECONDS
    while demo.poll() is None and time.monotonic() < deadline:
        try:
            response = client.send(request)
            if response.status_code == 200:
                return response
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    sys.exit(f"{request.url} does not answer 200:\n{log.read_text()}")


def check_static_files(client: httpx.Client, url: str, demo: "subprocess.Popen[bytes]", log: Path) -> int:
    """Every file of `dashboard/static` and Plotly, at the address the page uses for its own."""
    page = answer(client.build_request("GET", url), client, demo, log).text
    prefix = page.split("/page.css")[0].rpartition('"')[2]
    names = {path.name for path in (ROOT / "polypipe" / "dashboard" / "static").iterdir()} | {"plotly.min.js"}
    failed = {name: status for name in names if (status := client.get(f"{url}{prefix}/{name}").status_code) != 200}
    if failed:
        sys.exit(f"static files below {prefix} that do not answer 200: {failed}")
    return len(names)


def check_source_links(
    client: httpx.Client, url: str, demo: "subprocess.Popen[bytes]", log: Path, environment: Path
) -> None:
    """Every asset in the UI links to a file that exists in the clean environment."""
    request = client.build_request("POST", f"{url}/graphql", json={"query": ASSETS})
    nodes = answer(request, client, demo, log).json()["data"]["assetNodes"]
    for node in nodes:
        links = [link["filePath"] for entry in node["metadataEntries"] for link in entry.get("codeReferences", [])]
        if not links or not all(Path(link).is_file() and Path(link).is_relative_to(environment) for link in links):
            sys.exit(f"asset {node['assetKey']['path'][-1]} links to {links or 'no source'}")
    if not nodes:
        sys.exit("the UI lists no assets")


if __name__ == "__main__":
    main()
