"""The command line. Only the module of the command that was asked for is imported: `serve` starts in a blink."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Final

import typer

COMMANDS: Final = {
    "serve": "serve",
    "api": "processes",
    "worker": "processes",
    "migrate": "database",
    "openapi": "openapi",
    "users": "users",
    "keys": "keys",
    "models": "models",
    "jobs": "jobs",
    "register": "login",
    "login": "login",
    "logout": "login",
    "projects": "projects",
    "import": "importing",
    "search": "search",
    "events": "events",
}
INTERRUPTED: Final = 130


def main() -> None:
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The exit code: 0, 1 when a part of the work failed, 2 when it was asked wrongly or could not begin."""
    app = _build(arguments)
    try:
        code: object = app(args=list(arguments) or ["--help"], prog_name="partywall", standalone_mode=False)
    except typer.TyperException as error:
        for line in error.format_message().splitlines():
            typer.echo(f"partywall: {line}", err=True)
        return error.exit_code
    except typer.Abort:
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _build(arguments: Sequence[str]) -> typer.Typer:
    """The command that was asked for; all of them where the first word is none, such as `--help`."""
    root = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    root.callback()(_describe)
    wanted = COMMANDS.get(arguments[0]) if arguments else None
    for module in [wanted] if wanted else dict.fromkeys(COMMANDS.values()):
        app: typer.Typer = importlib.import_module(f"partywall.commands.{module}").app
        root.add_typer(app)
    return root


def _describe() -> None:
    """The backend for products in which AI agents work on customers' documents."""
