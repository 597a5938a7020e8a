from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import JsonValue

from partywall.client.api import RetryBudget
from partywall.client.document_export import Restore, is_export
from partywall.client.document_import import FileFilter, FolderWatch, ScanResult, SkippedFile
from partywall.client.errors import ClientError
from partywall.commands.connection import Connection, ProjectOption, ServerOption, connect
from partywall.commands.folder_import import FolderImport, ImportOptions, may_delete, may_replace
from partywall.commands.import_export import restore
from partywall.commands.import_report import NAMES_SHOWN, print_results, skipped_lines
from partywall.commands.import_watch import watch_folder
from partywall.commands.index_wait import wait_until_read
from partywall.commands.paths import existing_path
from partywall.commands.terminal import print_line, printable
from partywall.commands.usage_error import UsageError

MAX_WAIT_SECONDS: Final = 120.0
INTERRUPTED: Final = 130
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
_LONGEST_PREFIX: Final = 200
_INVALID_NAMES: Final = {"", ".", ".."}  # not names of folders

app = typer.Typer()


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", parser=existing_path, help="A folder, or one file.")],
    project: ProjectOption = None,
    language: Annotated[str | None, typer.Option(help="The documents' language, such as `de`.")] = None,
    include: Annotated[list[str] | None, typer.Option(help="Only matching files, such as `*.md` or `docs/*`.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Skip matching files.")] = None,
    prefix: Annotated[str, typer.Option(help="A prefix for each path, to keep folders apart in one project.")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite documents from other sources.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete documents whose files are gone.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before deleting.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on with every change, until Ctrl-C.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; change nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until every document can be found.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each file.")] = False,
    server: ServerOption = None,
) -> int:
    """Import the documents of FOLDER: PDF, Office files, mail, HTML, Markdown, other text and JSON Lines.

    A repeated import sends only changes. A .jsonl file has one document per line, with id, title and text.
    """
    choice = FileFilter(tuple(include or ()), tuple(exclude or ()))
    _check_options(language, (*choice.include, *choice.exclude), prefix)
    prefix = f"{prefix.removesuffix('/')}/" if prefix else ""
    metadata: dict[str, JsonValue] = {"language": language} if language else {}
    options = ImportOptions(source, prefix, choice, metadata, replace, delete, yes, dry_run)
    _check_combination(options, watch=watch)
    folder = FolderWatch(source, choice)
    look = folder.look()
    if not is_export(source):
        _show_skipped(options, look.found, shown=None if dry_run else NAMES_SHOWN, watch=watch)
    with connect(server, RetryBudget(MAX_WAIT_SECONDS, _waiting)) as connection:
        run = FolderImport(connection, _project(connection, project, dry_run=dry_run), options)
        stopped = _import(run, look.found, wait=wait and not watch)
        print_results(run.results, dry_run=dry_run, as_json=as_json)
        if watch and stopped != INTERRUPTED:
            watch_folder(run, folder, None if stopped else look)
    return stopped or (0 if run.results.complete else 1)


def _import(run: FolderImport, found: ScanResult, *, wait: bool) -> int:
    """Returns the exit code if it was stopped, else 0."""
    try:
        if is_export(run.options.source):
            _import_export(run, wait=wait)
        else:
            _import_files(run, found, wait=wait)
    except KeyboardInterrupt:
        return _stopped("interrupted", INTERRUPTED)
    except ClientError as error:
        if not run.results.counts.done:  # nothing was processed
            raise
        return _stopped(f"stopped: {error}", 1)
    return 0


def _import_files(run: FolderImport, found: ScanResult, *, wait: bool) -> None:
    options, run.results.skipped = run.options, found.skipped
    run.refresh()
    gone = run.gone(found)
    if not may_delete(options, found, gone):
        gone = {}
    run.run(found.files, gone, replace=may_replace(options, found.files, run.known, run.root))
    if wait and run.project_id is not None and not options.dry_run:
        wait_until_read(run.connection.api, run.project_id, run.results)


def _import_export(run: FolderImport, *, wait: bool) -> None:
    api, options, project_id = run.connection.api, run.options, run.project_id or ""
    print_line(f"{options.source} is an export of a project: its documents are created again", err=True)
    restoring = Restore(api, project_id, options.source, replace=options.replace, dry_run=options.dry_run)
    restoring.counts, restoring.imported = run.results.counts, run.results.imported
    restore(restoring, run.results, wait=wait)


def _stopped(why: str, code: int) -> int:
    print_line(f"{why}: repeat the command to continue", err=True)
    return code


def _check_options(language: str | None, patterns: Sequence[str], prefix: str) -> None:
    """Raises UsageError."""
    if language is not None and _LANGUAGE.fullmatch(language) is None:
        raise UsageError("--language: use a language code such as de or pt-BR")
    if not all(patterns):
        raise UsageError("--include and --exclude: use patterns such as *.md")
    if not prefix.isprintable() or len(prefix) > _LONGEST_PREFIX:
        raise UsageError(f"--prefix: use one line of at most {_LONGEST_PREFIX} characters")
    if prefix and not _INVALID_NAMES.isdisjoint(prefix.removesuffix("/").split("/")):
        raise UsageError("--prefix: use names separated by /, such as guides or guides/de")


def _check_combination(options: ImportOptions, *, watch: bool) -> None:
    """Raises UsageError."""
    if (options.delete or watch) and not options.source.is_dir():
        raise UsageError("--delete and --watch need a folder")
    if is_export(options.source) and (
        watch or options.delete or options.metadata or options.prefix or options.choice != FileFilter()
    ):
        raise UsageError(f"{options.source} is an export: only --project, --replace, --dry-run and --no-wait apply")
    if watch and options.dry_run:
        raise UsageError("--watch and --dry-run exclude each other")
    if options.delete and not (options.yes or options.dry_run or sys.stdin.isatty()):
        raise UsageError("--delete asks first, and there is no terminal: use --yes, or --dry-run to see what is gone")


def _show_skipped(options: ImportOptions, found: ScanResult, shown: int | None, *, watch: bool) -> None:
    """Raises UsageError if there is nothing to do."""
    if not (found.files or watch or options.delete):
        raise UsageError(printable(_nothing(options.source, found.skipped)))
    for line in skipped_lines(found.skipped, shown):
        print_line(line, err=True)


def _nothing(source: Path, skipped: Sequence[SkippedFile]) -> str:
    """Why nothing is imported, with some of the skipped files."""
    lines = skipped_lines(skipped, NAMES_SHOWN)
    parts = [f"{source} contains nothing to import: see the kinds of files in `partywall import --help`"]
    parts += lines[:NAMES_SHOWN]
    parts += [f"{len(skipped)} skipped in all"] if len(lines) > NAMES_SHOWN else []
    return "; ".join(parts)


def _project(connection: Connection, name: str | None, *, dry_run: bool) -> str | None:
    """Returns the project's id; None if a dry run would create it."""
    if dry_run:
        found = connection.project_if_any(name)
        print_line(
            f"would {'create' if found is None else 'use'} the project {name or (found and found.name)!r}", err=True
        )
        return None if found is None else found.id
    project, made = connection.project_or_new(name)
    print_line(f"{'created' if made else 'using'} the project {project.name!r} ({project.id})", err=True)
    return project.id


def _waiting(why: str, seconds: float) -> None:
    print_line(f"{why}; retrying in {seconds:.1f} s", err=True)
