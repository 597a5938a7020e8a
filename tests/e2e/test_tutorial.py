"""Runs the commands that the documentation tells a reader to type."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.command_line import ROOT
from tests.e2e.conftest import BIN, PASSWORD, CliServer

pytestmark = pytest.mark.e2e

README = (ROOT / "README.md").read_text()
FIRST_PROGRAM = (ROOT / "docs" / "tutorial" / "first-program.md").read_text()
SERVE = "make serve"


@dataclass
class Step:
    command: str
    expected: list[str] = field(default_factory=list)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)


def steps(text: str) -> list[Step]:
    found: list[Step] = []
    for line in "".join(blocks(text, "console")).splitlines():
        if line.startswith("$ "):
            found.append(Step(line.removeprefix("$ ")))
        else:
            found[-1].expected.append(line)
    return found


def session(cli_server: CliServer, commands: list[str], folder: Path) -> list[str]:
    """The output of each command; all run in one shell."""
    script = "".join(
        f"{{ {command}\n}} >{shlex.quote(str(folder / str(number)))} 2>&1 || exit {number + 1}\n"
        for number, command in enumerate(commands)
    )
    shell = ["bash", "-c", script]
    done = subprocess.run(shell, cwd=ROOT, env=cli_server.environment, timeout=300, check=False)
    outputs = [path.read_text() for path in sorted(folder.iterdir(), key=lambda path: int(path.name))]
    assert done.returncode == 0, f"{commands[done.returncode - 1]} failed:\n{outputs[-1]}"
    return outputs


def assert_shown(step: Step, output: str) -> None:
    """Every line that the document shows is printed, in that order; `...` matches anything."""
    printed = iter(output.splitlines())
    for line in step.expected:
        pattern = re.compile(".*".join(re.escape(part) for part in line.split("...")))
        assert any(pattern.fullmatch(each) for each in printed), f"$ {step.command}\nno {line!r} in:\n{output}"


def test_the_readme_leads_with_the_two_commands() -> None:
    first = blocks(README, "sh")[0].splitlines()
    assert [line.partition("#")[0].strip() for line in first] == [SERVE, "make test"]
    assert README.index("```sh") < 100


def test_the_five_minutes_work_as_written(cli_server: CliServer, tmp_path: Path) -> None:
    assert SERVE in [block.strip() for block in blocks(README, "sh")]
    typed = steps(README)
    assert f'export PARTYWALL_PASSWORD="{PASSWORD}"' in [step.command for step in typed]
    here = [
        step.command.replace("http://localhost:8000", cli_server.url).replace(".venv/bin/", f"{BIN}/") for step in typed
    ]
    outputs = session(cli_server, here, tmp_path)
    for step, output in zip(typed, outputs, strict=True):
        assert_shown(
            Step(step.command, [line.replace("http://localhost:8000", cli_server.url) for line in step.expected]),
            output,
        )


def test_the_first_program_works_as_written(cli_server: CliServer, tmp_path: Path) -> None:
    registered = cli_server.run("register", "--email", "first@example.com", "--server", cli_server.url)
    assert registered.returncode == 0, registered.stderr
    [program] = blocks(FIRST_PROGRAM, "python")
    [expected] = blocks(FIRST_PROGRAM, "text")
    script = tmp_path / "first.py"
    script.write_text(program)
    environment = {**cli_server.environment, "EMAIL": "first@example.com", "PARTYWALL_SERVER": cli_server.url}
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [re.sub(r"^\d+ ", "N ", line) for line in done.stdout.splitlines()] == [
        re.sub(r"^\d+ ", "N ", line) for line in expected.splitlines()
    ]
