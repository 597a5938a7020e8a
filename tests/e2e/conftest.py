from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.command_line import run_here
from tests.e2e.server import Deployment, Serving

BIN = Path(sys.executable).parent
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class CliServer:
    """A running `partywall serve`, and a shell without a session."""

    deployment: Deployment
    serving: Serving
    home: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.deployment.port}"

    @property
    def environment(self) -> dict[str, str]:
        """A user's terminal: none of the settings, and its own home directory."""
        kept = {name: value for name, value in os.environ.items() if "__" not in name and name != "PARTYWALL_SERVER"}
        return kept | {
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "PATH": f"{BIN}:{kept['PATH']}",
            "PARTYWALL_PASSWORD": PASSWORD,
        }

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> CompletedProcess[str]:
        return run_here(*arguments, environment={**self.environment, **environment}, stdin=stdin)

    def on_the_machine(self, *arguments: str, stdin: str = "") -> CompletedProcess[str]:
        """Runs an operator's command, which finds the engines through the data directory."""
        return self.run(*arguments, "--data-dir", str(self.deployment.data_dir), stdin=stdin)


@pytest.fixture(scope="package")
async def cli_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CliServer]:
    async with contextlib.aclosing(Deployment()) as deployment:
        command = [sys.executable, "-m", "partywall", "serve", "--data-dir", str(deployment.data_dir)]
        serving = deployment.run([*command, "--port", str(deployment.port)]).until_ready()
        home = tmp_path_factory.mktemp("home")
        yield CliServer(deployment, serving, home)
        shutil.rmtree(home)
