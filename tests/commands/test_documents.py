"""The reference pages list everything there is, and the container files agree with them."""

from __future__ import annotations

import importlib
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import run

import pytest
import typer
import yaml  # type: ignore[import-untyped] # a development dependency without its stubs
from pydantic import BaseModel

from partywall import cli
from partywall.commands.dispatch import COMMANDS
from partywall.settings import Settings

ROOT = Path(__file__).parents[2]
SETTINGS = (ROOT / "docs" / "reference" / "settings.md").read_text().partition("\n## Bounds\n")[0]
COMMAND_LINE = (ROOT / "docs" / "reference" / "command-line.md").read_text()
GUIDE = (ROOT / "docs" / "how-to" / "servers.md").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def variables(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from variables(kind, f"{prefix}{name.upper()}__")
        else:
            yield prefix + (field.alias or name).upper(), field.default


def rows(text: str) -> dict[str, str]:
    """Names with a free part, such as `AGENTS__MODELS__<AGENT>`, count as the setting as a whole."""
    own = r"(?:__<[A-Z]+>(?:__[A-Z_]+)?)?"
    return dict(re.findall(rf"^\| `([A-Z_]+?){own}` \| (.*?) \|", text, re.MULTILINE))


def test_every_setting_is_documented_and_nothing_else() -> None:
    assert set(rows(SETTINGS)) == {name for name, _ in variables(Settings)}


@pytest.mark.parametrize(
    ("name", "default"), [(name, default) for name, default in variables(Settings) if isinstance(default, int | str)]
)
def test_the_documented_default_is_the_default(name: str, default: int | str) -> None:
    assert rows(SETTINGS)[name].strip("`") == str(default)


def commands() -> Iterator[str]:
    for module in dict.fromkeys(command.module for command in COMMANDS.values()):
        app: typer.Typer = importlib.import_module(f"partywall.commands.{module}").app
        group = f"{app.info.name} " if isinstance(app.info.name, str) else ""
        for command in app.registered_commands:
            assert command.callback is not None
            yield group + (command.name or command.callback.__name__)


def test_every_command_is_documented_and_nothing_else() -> None:
    documented = re.findall(r"^\| `partywall ([a-z]+(?: [a-z]+)?)", COMMAND_LINE, re.MULTILINE)
    assert sorted(documented) == sorted(commands())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_overview_says_what_the_command_says(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([name, "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert COMMANDS[name].summary in printed
    assert printed.startswith(f"Usage: partywall {name} ")


def statements(text: str) -> list[str]:
    return [" ".join(re.sub(r"PASSWORD\s+\S+", "PASSWORD", each).split()) for each in text.split(";") if each.strip()]


def test_the_containers_make_the_roles_of_the_guide() -> None:
    [guide] = re.findall(r"(?ms)^```sql\n(.*?)^```", GUIDE)
    [script] = re.findall(r"(?ms)<<'SQL'\n(.*?)^SQL$", (ROOT / "deploy" / "roles.sh").read_text())
    assert statements(script) == statements(guide)


def test_compose_sets_only_what_is_a_setting() -> None:
    known = {name for name, _ in variables(Settings)}
    for service in ("migrate", "api", "worker"):
        assert set(COMPOSE["services"][service]["environment"]) <= known
    assert "DATABASE__OWNER_URL" not in COMPOSE["services"]["api"]["environment"]


def test_every_variable_of_compose_stands_in_the_example() -> None:
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", (ROOT / "compose.yaml").read_text()))
    given = set(re.findall(r"^(\w+)=", (ROOT / "deploy" / "env.example").read_text(), re.MULTILINE))
    assert asked == given


def test_the_image_copies_what_exists_and_runs_without_root() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = [line.split()[1:-1] for line in dockerfile.splitlines() if re.match(r"COPY (?!--from)", line)]
    assert [name for names in copied for name in names if not (ROOT / name).exists()] == []
    assert re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE) == ["partywall"]
    assert "HEALTHCHECK" in dockerfile


def test_the_image_is_built_from_the_lock_without_build_tools() -> None:
    build, runs = re.split(r"(?m)^FROM ", (ROOT / "Dockerfile").read_text())[1:]
    assert "--require-hashes --requirement requirements/runtime.txt" in build
    assert "pip uninstall --yes pip" in build
    assert build.startswith("python:3.13-slim AS build\n")
    assert re.findall(r"(?m)^COPY (.+)$", runs) == ["--from=build /opt/partywall /opt/partywall"]
    assert "pip" not in runs
    assert runs.startswith("python:3.13-slim\n")
    assert runs.index("\nUSER ") < runs.index("\nENTRYPOINT ")


def test_what_compose_and_the_image_start_are_commands_of_ours() -> None:
    [entry, usual] = re.findall(r"(?m)^(?:ENTRYPOINT|CMD) (\[.+\])$", (ROOT / "Dockerfile").read_text())
    assert json.loads(entry) == ["partywall"]
    ours = [COMPOSE["services"][service] for service in ("migrate", "api", "worker")]
    for arguments in [json.loads(usual), *(service["command"] for service in ours)]:
        assert cli.run([*arguments, "--help"]) == 0
    for service in ours:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.slow
def test_the_wheel_carries_the_migrations_sql_files_and_templates(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), "."]
    done = run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "migrations").rglob("*"):
        if path.suffix in {".py", ".sql", ".mako"}:
            assert f"partywall/_migrations/{path.relative_to(ROOT / 'migrations').as_posix()}" in inside
    for folder in ("templates", "sql"):
        files = [path for path in (ROOT / "src" / "partywall").rglob(f"{folder}/*") if path.is_file()]
        assert len(files) >= 2
        assert {path.relative_to(ROOT / "src").as_posix() for path in files} <= inside
