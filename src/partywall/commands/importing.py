from __future__ import annotations

from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
from pydantic import JsonValue

from partywall.client.api import Patience
from partywall.client.importing import (
    Import,
    Tally,
    count,
    documents_in,
    holds_documents,
    index_progress,
    known_documents,
    list_files,
)
from partywall.commands.connection import Connection, ProjectOption, ServerOption, connect
from partywall.commands.meter import open_meter
from partywall.commands.refusal import Refusal
from partywall.commands.terminal import say

PATIENCE_SECONDS = 120.0
INTERRUPTED = 130

app = typer.Typer()


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", exists=True, help="A folder, or one file.")],
    project: ProjectOption = None,
    language: Annotated[str | None, typer.Option(help="The documents' language, such as `de`.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until everything can be found.")] = False,
    server: ServerOption = None,
) -> int:
    """Import the text, Markdown, HTML and JSON Lines files of FOLDER.

    Again, and only what changed is sent. A .jsonl file holds one document a line, with id, title and text.
    """
    files = _files(source)
    with ExitStack() as stack:
        connection = stack.enter_context(connect(server, Patience(PATIENCE_SECONDS, _waiting)))
        found, made = connection.project_or_new(project)
        say(f"{'created' if made else 'using'} the project {found.name!r} ({found.id})", err=True)
        tally = Tally()
        try:
            _bring(connection, found.id, source, files, tally, {"language": language} if language else {})
            if wait:
                _wait(connection, found.id)
        except KeyboardInterrupt:
            say("interrupted: the same command goes on where this one ended", err=True)
            return INTERRUPTED
        finally:
            _sum_up(tally)
    return 1 if tally.failed else 0


def _files(source: Path) -> list[Path]:
    found = list_files(source)
    files = [path for path in found if holds_documents(path)]
    for path in found:
        if path not in files:
            say(f"left out: {path} (its lines are not {{id, title, text}})", err=True)
    if not files:
        raise Refusal(f"{source} holds nothing to import: no .txt, .md, .markdown, .html, .htm or .jsonl file")
    return files


def _bring(
    connection: Connection,
    project_id: str,
    source: Path,
    files: list[Path],
    tally: Tally,
    metadata: dict[str, JsonValue],
) -> None:
    with open_meter("importing", count(files)) as meter:

        def told(tally: Tally, failure: str | None) -> None:
            if failure is not None:
                meter.say(f"failed: {failure}")
            meter.reach(tally.done)

        known = known_documents(connection.api, project_id)
        Import(connection.api, project_id, known, told, metadata, tally).run(
            chain.from_iterable(documents_in(source, path) for path in files)
        )


def _wait(connection: Connection, project_id: str) -> None:
    with open_meter("indexing", 0) as meter:
        for counts in index_progress(connection.api, project_id):
            meter.total = counts.pending + counts.indexed + counts.failed
            meter.reach(counts.indexed + counts.failed)
    if counts.failed:
        say(f"{counts.failed} documents could not be indexed: GET documents?index_status=failed says why", err=True)


def _sum_up(tally: Tally) -> None:
    say(f"{tally.sent} sent, {tally.changed} changed, {tally.unchanged} unchanged, {len(tally.failed)} failed")


def _waiting(why: str, seconds: float) -> None:
    say(f"{why}; trying again in {seconds:.1f} s", err=True)
