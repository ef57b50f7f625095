"""A running `polypipe demo` for tests: real processes, observed over GraphQL like the UI."""

import os
import signal
import subprocess
from pathlib import Path

import httpx
import psutil

from polypipe.runtime.ports import free_port
from polypipe_tests.support import POLYPIPE, wait_until

RUNS = "{ runsOrError { ... on Runs { results { id jobName status assetSelection { path } tags { key value } } } } }"


class Server:
    """A running `polypipe demo` with its own home."""

    def __init__(self, directory: Path) -> None:
        self.home = directory / "home" / "demo"
        self.port = free_port()
        self.green: set[str] = set()  # assets that were seen healthy
        self.log = directory / "output.txt"
        secrets = {"PRIVATE_KEY": "s3cret-canary", "CLOB_API_KEY": "s3cret-canary"}
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "POLYPIPE_HOME": str(directory / "home"),
            "POLYPIPE_WEBSERVER_PORT": str(self.port),
            "POLYPIPE_DASHBOARD_PORT": str(free_port()),
            **secrets,
        }
        (directory / ".env").write_text("PRIVATE_KEY=s3cret-canary\nPOLYPIPE_BOT_DIR=/nonexistent/real-bot\n")
        self.directory = directory
        self.start()

    def command(self) -> list[str]:
        return [POLYPIPE, "demo", "--events", "60"]

    def start(self) -> None:
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                self.command(), env=self.env, cwd=self.directory, stdout=log, stderr=subprocess.STDOUT
            )

    def query(self, text: str):
        url = f"http://127.0.0.1:{self.port}/graphql"
        try:
            answer = httpx.post(url, json={"query": text}, timeout=20, trust_env=False).json()
        except httpx.HTTPError:
            return None
        assert "errors" not in answer, answer
        return answer["data"]

    def launch(self, job: str):
        """Launch a run like the UI. Returns its id, or None while the server does not answer."""
        selector = f'{{jobName: "{job}", repositoryName: "__repository__", repositoryLocationName: "polypipe"}}'
        parameters = f'{{mode: "default", selector: {selector}}}'
        success = "... on LaunchRunSuccess { run { id } }"
        data = self.query(f"mutation {{ launchRun(executionParams: {parameters}) {{ {success} }} }}")
        return data and data["launchRun"].get("run", {}).get("id")

    def run(self, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of polypipe in the environment of the server."""
        return subprocess.run(
            [POLYPIPE, *arguments],
            env=self.env | environ,
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
        )

    def runs(self):
        data = self.query(RUNS)
        return data["runsOrError"].get("results", []) if data else []

    def children(self) -> list[psutil.Process]:
        found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return found

    def wait_for(self, condition, seconds=240.0):
        def look():
            assert self.process.poll() is None, self.log.read_text()
            return condition()

        return wait_until(look, seconds, lambda: self.log.read_text() + self.logs())

    def logs(self) -> str:
        return "\n".join(path.read_text()[-2000:] for path in (self.home / "logs").glob("*.log"))

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Signal it and return the exit code; everything must have ended within the promised 10 s."""
        children = self.children()
        self.process.send_signal(number)
        code = self.process.wait(timeout=10)
        _, alive = psutil.wait_procs(children, timeout=5)
        assert not alive
        return code
