"""The tutorial about extensions works as written, outside the repository, with Partywall installed from a wheel."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.command_line import ROOT
from tests.e2e.conftest import PASSWORD
from tests.e2e.server import Deployment

pytestmark = pytest.mark.e2e

TUTORIAL = (ROOT / "docs" / "tutorial" / "first-extension.md").read_text()
EMAIL = "first-extension@example.com"
BUILD = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"


def blocks(language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", TUTORIAL)


def run(folder: Path, environment: Mapping[str, str], *command: str, stdin: str | None = None) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, input=stdin, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def install(project: Path, site: Path, environment: Mapping[str, str]) -> None:
    """As pip would: builds a wheel and unpacks it."""
    run(project, environment, sys.executable, "-c", BUILD, str(site))
    [wheel] = site.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    wheel.unlink()


async def test_the_first_extension_works_as_written() -> None:
    async with contextlib.aclosing(Deployment()) as deployment:
        site, work = deployment.data_dir.parent / "site", deployment.data_dir.parent / "work"
        for folder in (site, work):
            folder.mkdir(mode=0o755)
        kept = {name: value for name, value in os.environ.items() if "__" not in name}
        environment = {
            **kept, "PYTHONPATH": str(site), "HOME": str(work), "XDG_CONFIG_HOME": str(work),
            "EMAIL": EMAIL, "PARTYWALL_PASSWORD": PASSWORD, "PARTYWALL_SERVER": f"http://127.0.0.1:{deployment.port}",
        }  # fmt: skip
        partywall = (sys.executable, "-m", "partywall")
        install(ROOT, site, environment)
        assert run(work, environment, sys.executable, "-c", "import partywall; print(partywall.__file__)").startswith(
            str(site)
        )

        [new, check] = [line.removeprefix("$ partywall ") for line in _typed() if line.startswith("$ partywall")]
        assert "wrote 20 files to saved_questions" in run(work, environment, *partywall, *new.split())
        package = work / "saved_questions"
        _edit(package, environment)
        assert run(package, environment, *partywall, *check.split()) == ""
        install(package, site, environment)

        serve = [*partywall, "serve", "--data-dir", str(deployment.data_dir), "--port", str(deployment.port)]
        on = {"PYTHONPATH": str(site), "FEATURES__ENABLED": "saved_questions"}
        deployment.run(serve, environment=on).until_ready()
        run(work, environment, *partywall, "register", "--email", EMAIL, "--server", environment["PARTYWALL_SERVER"])
        [*_, program] = blocks("python")
        assert run(work, environment, sys.executable, "-", stdin=program) == blocks("text")[0]


def _typed() -> list[str]:
    return "".join(blocks("console")).splitlines()


def _edit(package: Path, environment: Mapping[str, str]) -> None:
    for name, text in re.findall(r"(?ms)Save as\n`([\w/.]+)`:\n\n```python\n(.*?)^```$", TUTORIAL):
        (package / name).write_text(text)
    run(package, environment, "git", "apply", "-", stdin="".join(blocks("diff")))
