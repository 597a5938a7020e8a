from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from partywall.client.api import RetryBudget
from partywall.client.document_export import Export, ForeignFolder
from partywall.client.document_import import count_documents
from partywall.client.errors import ClientError
from partywall.commands.connection import ProjectOption, ServerOption, connect
from partywall.commands.filters import FilterOption
from partywall.commands.paths import given_path
from partywall.commands.progress import open_meter
from partywall.commands.terminal import print_line

MAX_WAIT_SECONDS: Final = 120.0
INTERRUPTED: Final = 130
_REPEAT: Final = ": repeat the command to continue"

app = typer.Typer()


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", parser=given_path, help="A new or empty folder.")],
    project: ProjectOption = None,
    filter_: FilterOption = None,
    server: ServerOption = None,
) -> int:
    """Write a project's documents with their versions and metadata to FOLDER.

    `partywall import FOLDER` creates them again. A repeated export writes only what has changed, and removes what is
    gone or does not match its filter.
    """
    stopped = 0
    with connect(server, RetryBudget(MAX_WAIT_SECONDS, _waiting)) as connection:
        where = connection.project(project)
        with open_meter("exporting", count_documents(connection.api, where.id, filter_)) as meter:
            run = Export(connection.api, where, folder, lambda counts: meter.reach(counts.done), filter_)
            try:
                run.run()
            except KeyboardInterrupt:
                stopped = _stopped("interrupted", INTERRUPTED)
            except ClientError as error:
                if not run.counts.done:
                    raise
                cannot_go_on = isinstance(error, ForeignFolder)
                stopped = _stopped(f"stopped: {error}", 1, "" if cannot_go_on else _REPEAT)
    for name, reason in run.counts.failed:
        print_line(f"failed: {name}: {reason}", err=True)
    print_line(f"{run.counts.written} written, {run.counts.unchanged} unchanged, {len(run.counts.failed)} failed")
    return stopped or (1 if run.counts.failed else 0)


def _stopped(why: str, code: int, advice: str = _REPEAT) -> int:
    print_line(f"{why}{advice}", err=True)
    return code


def _waiting(why: str, seconds: float) -> None:
    print_line(f"{why}; retrying in {seconds:.1f} s", err=True)
