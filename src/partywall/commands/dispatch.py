"""The command line. Imports only the module of the given command, so that it starts quickly."""

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
from partywall.commands.slim_structlog import import_structlog
from partywall.commands.terminal import print_line
from partywall.core.feature import FeatureError
from partywall.core.system_errors import explained


class Command(NamedTuple):
    """The module in `partywall.commands`, and the summary that `--help` prints without importing it."""

    module: str
    summary: str


COMMANDS: Final = {
    "serve": Command("serve", "Run everything on this machine: PostgreSQL, Valkey, API and worker."),
    "api": Command("api", "Run the API with the engines of the settings."),
    "worker": Command("worker", "Run the worker with the engines of the settings."),
    "migrate": Command("database", "Migrate the database schema to TARGET, as the role of DATABASE__OWNER_URL."),
    "openapi": Command("openapi", "Print the OpenAPI document; opens no connection."),
    "new": Command("new", "Write a new package with a feature."),
    "check": Command("check", "Check the package with a feature in DIR, without importing it."),
    "rights": Command("rights", "Print what each role may do in a project."),
    "users": Command("users", "Accounts, for operators."),
    "keys": Command("keys", "The keys that sign access tokens."),
    "models": Command("models", "Embedding models that are not bundled."),
    "quotas": Command("quotas", "Limits of a project or account, for operators."),
    "reindex": Command("reindex", "Queue documents to be indexed again, in all projects or some."),
    "index": Command("index", "Compare the indexes with what PostgreSQL holds, for operators."),
    "blobs": Command("blobs", "Stored originals of uploads, for operators."),
    "jobs": Command("jobs", "Dead letters, and waiting jobs of a kind that no worker knows."),
    "register": Command("login", "Create an account and log in, unless the address must be confirmed first."),
    "login": Command("login", "Log in; stores the tokens in your configuration directory."),
    "logout": Command("login", "End the session on the server and delete it here."),
    "password": Command("password", "Your password: reset it, change it, or lift a lock."),
    "projects": Command("projects", "Your projects."),
    "import": Command(
        "document_import",
        "Import the documents of FOLDER: PDF, Office files, mail, HTML, Markdown, other text and JSON Lines.",
    ),
    "export": Command("document_export", "Write a project's documents with their versions and metadata to FOLDER."),
    "search": Command("search", "Find documents for QUERY, best first."),
    "eval": Command("evaluation", "Measure search on FOLDER: documents, queries and judgements."),
    "events": Command("events", "Print a project's stored events, or with --follow new ones."),
}

LONG_RUNNING: Final = ("api", "worker")


def run(arguments: Sequence[str]) -> int:
    """Returns the exit code: 0; 1 after a partial failure; 2 for a usage error or a failed start.

    130 and 143 if SIGINT or SIGTERM interrupted the command.
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
    except FeatureError as error:
        print_line(f"partywall: {error}", err=True)
        return 2
    except BrokenPipeError:
        return _reader_gone()
    except OSError as error:
        print_line(f"partywall: {explained(error)}", err=True)
        return 2
    return code if isinstance(code, int) else 0


def _reader_gone() -> int:
    """The reader has closed the pipe, as `head` does. Python flushes the rest at exit, so stdout becomes /dev/null."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _not_text(arguments: Sequence[str]) -> str | None:
    """Returns the first argument that is not UTF-8. The folder to import or export is exempt: its path is not sent."""
    before = "-"
    for argument in arguments:
        is_folder = arguments[0] in ("import", "export") and not before.startswith("-") and not argument.startswith("-")
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
    """Builds the given command, or all summaries if the first argument is not a command, such as `--help`."""
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
    """Imports without garbage collection, which takes a seventh of the time: modules stay loaded until the end."""
    gc.disable()
    if command.module in LONG_RUNNING:
        # Several threads embed texts; those of OpenBLAS would wait for each other, busily.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        import_structlog()
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
    """A placeholder for a command whose summary alone is shown."""
