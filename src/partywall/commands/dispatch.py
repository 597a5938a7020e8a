"""The command line. Only the module of the command that was asked for is imported: `serve` starts in a blink."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Final, NamedTuple

import typer

from partywall import __version__
from partywall.commands.interruption import interruptible
from partywall.commands.terminal import print_line
from partywall.core.system_errors import explained


class Command(NamedTuple):
    """The module in `partywall.commands`, and what `--help` says without importing it."""

    module: str
    summary: str


COMMANDS: Final = {
    "serve": Command("serve", "Run everything on this machine: PostgreSQL, Valkey, API and worker."),
    "api": Command("api", "Run the API on the engines that the settings name."),
    "worker": Command("worker", "Run the worker on the engines that the settings name."),
    "migrate": Command("database", "Bring the database's schema to TARGET, as the role of DATABASE__OWNER_URL."),
    "openapi": Command("openapi", "Print the OpenAPI document; opens no connection."),
    "rights": Command("rights", "Print what each role may do in a project."),
    "users": Command("users", "Accounts, for operators."),
    "keys": Command("keys", "The keys that sign access tokens."),
    "models": Command("models", "Embedding models that are not bundled."),
    "quotas": Command("quotas", "What one project or account may use, for operators."),
    "reindex": Command("reindex", "Have documents indexed again, by the worker, in every project or in some."),
    "jobs": Command("jobs", "Jobs that wait for somebody: they failed too often, or nobody knows their kind."),
    "register": Command("login", "Make an account and log in to it, at once where no address has to be confirmed."),
    "login": Command("login", "Log in; the tokens are kept in your configuration directory."),
    "logout": Command("login", "End the session on the server and forget it here."),
    "projects": Command("projects", "Your projects."),
    "import": Command("importing", "Import the text, Markdown, HTML and JSON Lines files of FOLDER."),
    "search": Command("search", "Find the documents that answer QUERY, the best first."),
    "events": Command("events", "Print a project's events: those that are kept, or with --follow those to come."),
}


def run(arguments: Sequence[str]) -> int:
    """The exit code: 0, 1 when a part of the work failed, 2 when it was asked wrongly or could not begin.

    130 and 143 where SIGINT or SIGTERM has ended it before its end.
    """
    if (wrong := _not_text(arguments)) is not None:
        print_line(f"partywall: an argument is not UTF-8: {wrong!a}", err=True)
        return 2
    app = _build(arguments)
    with interruptible() as interruption:
        try:
            return interruption.code(_run(app, arguments))
        except (KeyboardInterrupt, typer.Abort):
            return interruption.code()


def _run(app: typer.Typer, arguments: Sequence[str]) -> int:
    try:
        code: object = app(args=list(arguments) or ["--help"], prog_name="partywall", standalone_mode=False)
    except typer.TyperException as error:
        for line in error.format_message().split("\n"):
            print_line(f"partywall: {line}", err=True)
        return error.exit_code
    except BrokenPipeError:
        return _nobody_reads()
    except OSError as error:
        print_line(f"partywall: {explained(error)}", err=True)
        return 2
    return code if isinstance(code, int) else 0


def _nobody_reads() -> int:
    """As in `partywall events | head`. Python writes what is left at its end, to where nobody complains."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _not_text(arguments: Sequence[str]) -> str | None:
    """The first that cannot be sent or stored. What is imported may lie anywhere: only what is in it is sent."""
    before = "-"
    for argument in arguments:
        is_folder = arguments[0] == "import" and not before.startswith("-") and not argument.startswith("-")
        if not is_folder and not _is_text(argument):
            return argument
        before = argument
    return None


def _is_text(argument: str) -> bool:
    try:
        argument.encode()
    except UnicodeEncodeError:
        return False
    return True


def _build(arguments: Sequence[str]) -> typer.Typer:
    """The command that was asked for; the summaries of all where the first word is none, such as `--help`."""
    root = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    root.callback()(_root)
    wanted = COMMANDS.get(arguments[0]) if arguments else None
    if wanted is None:
        for name, command in COMMANDS.items():
            root.command(name, short_help=command.summary)(_describe)
    else:
        root.add_typer(_imported(wanted))
    return root


def _imported(command: Command) -> typer.Typer:
    """What is imported stays until the end. Looking for garbage in it, now or later, costs a seventh of the time."""
    gc.disable()
    app: typer.Typer = importlib.import_module(f"partywall.commands.{command.module}").app
    gc.freeze()
    gc.enable()
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        print_line(f"partywall {__version__}")
        raise typer.Exit


def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """The backend for products in which AI agents work on customers' documents."""


def _describe() -> None:
    """What stands for a command of which only the summary is told."""
