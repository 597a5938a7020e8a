from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import JsonValue

from partywall.client.api import RetryBudget
from partywall.client.document_import import (
    ExistingDocument,
    FileFilter,
    Import,
    ImportCounts,
    Outcome,
    ScanResult,
    SkippedFile,
    count,
    documents_in,
    index_progress,
    known_documents,
    name_in,
    not_indexed,
    scan,
    source_root,
)
from partywall.client.errors import ClientError
from partywall.commands.connection import Connection, ProjectOption, ServerOption, connect
from partywall.commands.paths import existing_path
from partywall.commands.progress import open_meter
from partywall.commands.terminal import print_line, printable
from partywall.commands.usage_error import UsageError

MAX_WAIT_SECONDS: Final = 120.0
INTERRUPTED: Final = 130
# How many skipped files are named for each reason; a dry run names all.
NAMES_SHOWN: Final = 5
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}")
_LONGEST_PREFIX: Final = 200
_INVALID_NAMES: Final = {"", ".", ".."}  # not names of folders
_PLANS: Final = {Outcome.SENT: "would send", Outcome.CHANGED: "would change"}

app = typer.Typer()


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The options of the command. `prefix` is empty or ends with a slash."""

    source: Path
    prefix: str
    metadata: dict[str, JsonValue]
    replace: bool
    dry_run: bool


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", parser=existing_path, help="A folder, or one file.")],
    project: ProjectOption = None,
    language: Annotated[str | None, typer.Option(help="The documents' language, such as `de`.")] = None,
    include: Annotated[list[str] | None, typer.Option(help="Only matching files, such as `*.md` or `docs/*`.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Skip matching files.")] = None,
    prefix: Annotated[str, typer.Option(help="A prefix for each path, to keep folders apart in one project.")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite documents from other sources.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; change nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until every document can be found.")] = False,
    server: ServerOption = None,
) -> int:
    """Import the documents of FOLDER: PDF, Office files, mail, HTML, Markdown, other text and JSON Lines.

    A repeated import sends only changes. A .jsonl file has one document per line, with id, title and text.
    """
    _check_options(language, (*(include or ()), *(exclude or ())), prefix)
    found = _files(source, FileFilter(include or (), exclude or ()), shown=None if dry_run else NAMES_SHOWN)
    prefix = f"{prefix.removesuffix('/')}/" if prefix else ""
    options = ImportOptions(source, prefix, {"language": language} if language else {}, replace, dry_run)
    counts, unindexed, stopped = ImportCounts(), 0, 0
    with ExitStack() as stack:
        connection = stack.enter_context(connect(server, RetryBudget(MAX_WAIT_SECONDS, _waiting)))
        try:
            project_id = _project(connection, project, dry_run=dry_run)
            seen = _import_files(connection, project_id, options, found.files, counts)
            if wait and not dry_run and project_id is not None:
                unindexed = wait_for_index(connection, project_id, seen)
        except KeyboardInterrupt:
            stopped = _stopped("interrupted", INTERRUPTED)
        except ClientError as error:
            if not counts.done:  # nothing was processed
                raise
            stopped = _stopped(f"stopped: {error}", 1)
    _print_summary(options, counts, len(found.skipped), unindexed)
    return stopped or (1 if counts.failed or unindexed else 0)


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


def _files(source: Path, choice: FileFilter, shown: int | None) -> ScanResult:
    found = scan(source, choice)
    if not found.files:
        raise UsageError(printable(_nothing(source, found.skipped)))
    for line in _skipped_lines(found.skipped, shown):
        print_line(line, err=True)
    return found


def _nothing(source: Path, skipped: Sequence[SkippedFile]) -> str:
    """Why nothing is imported, with some of the skipped files."""
    lines = _skipped_lines(skipped, NAMES_SHOWN)
    parts = [f"{source} contains nothing to import: .txt, .md, .markdown, .html, .htm and .jsonl files can be imported"]
    parts += lines[:NAMES_SHOWN]
    parts += [f"{len(skipped)} skipped in all"] if len(lines) > NAMES_SHOWN else []
    return "; ".join(parts)


def _skipped_lines(skipped: Sequence[SkippedFile], shown: int | None) -> list[str]:
    """One line for each reason."""
    by_reason: defaultdict[str, list[str]] = defaultdict(list)
    for each in skipped:
        by_reason[each.reason].append(each.name)
    return [
        f"skipped {len(names)} ({reason}): {', '.join(names[:shown])}"
        + ("" if shown is None or len(names) <= shown else f" and {len(names) - shown} more")
        for reason, names in by_reason.items()
    ]


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


def _import_files(
    connection: Connection, project_id: str | None, options: ImportOptions, files: list[Path], counts: ImportCounts
) -> set[str]:
    """Imports the files and returns their external ids."""
    known = {} if project_id is None else known_documents(connection.api, project_id)
    root = source_root(options.source)
    replace = options.replace or (not options.dry_run and _may_replace(options, files, known, root))
    with open_meter("importing", count(files)) as meter:

        def notify(counts: ImportCounts, failure: str | None) -> None:
            if failure is not None:
                meter.print_line(f"failed: {failure}")
            meter.reach(counts.done)

        def planned(outcome: Outcome, name: str) -> None:
            meter.print_line(f"{_PLANS[outcome]}: {name}")

        importer = Import(
            connection.api,
            project_id or "",
            known,
            notify,
            options.metadata,
            root,
            replace,
            planned=planned if options.dry_run else None,
            counts=counts,
            warned=lambda name: meter.print_line(f"warning: no text found in {name}"),
        )
        importer.run(chain.from_iterable(documents_in(options.source, path, options.prefix) for path in files))
    return importer.seen


def _may_replace(
    options: ImportOptions, files: Sequence[Path], known: Mapping[str, ExistingDocument], root: str
) -> bool:
    """Asks once on a terminal, before anything is sent; otherwise `--replace` decides."""
    if not sys.stdin.isatty():
        return False
    names = (name_in(options.source, path, options.prefix) for path in files)
    foreign = [name for name in names if name in known and known[name].root != root]
    if not foreign:
        return False
    return typer.confirm(
        f"{len(foreign)} paths here, such as {printable(foreign[0])}, already have documents from other sources."
        " Replace those that differ?",
        err=True,
    )


def wait_for_index(connection: Connection, project_id: str, seen: set[str]) -> int:
    """Waits, prints this import's documents that could not be indexed, and returns their number."""
    with open_meter("indexing", 0) as meter:
        for counts in index_progress(connection.api, project_id):
            meter.total = counts.pending + counts.indexed + counts.failed
            meter.reach(counts.indexed + counts.failed)
    unindexed = 0
    if counts.failed:
        for name, reason in not_indexed(connection.api, project_id):
            if name in seen:
                unindexed += 1
                print_line(f"not indexed: {name}: {reason}", err=True)
    return unindexed


def _print_summary(options: ImportOptions, counts: ImportCounts, skipped: int, unindexed: int) -> None:
    parts = [f"{counts.sent} sent, {counts.changed} changed, {counts.unchanged} unchanged, {len(counts.failed)} failed"]
    parts += [f"{skipped} skipped"] if skipped else []
    parts += [f"{len(counts.blank)} without text"] if counts.blank else []
    parts += [f"{unindexed} not indexed"] if unindexed else []
    print_line(f"{'would be: ' if options.dry_run else ''}{', '.join(parts)}")


def _waiting(why: str, seconds: float) -> None:
    print_line(f"{why}; retrying in {seconds:.1f} s", err=True)
