"""`partywall eval`: measures search on judged queries, as a client of the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import JsonValue

from partywall.client.api import RetryBudget
from partywall.client.document_import import known_documents, scan
from partywall.client.evaluation.collection import TEST, CollectionError, Query, corpus
from partywall.client.evaluation.collection import queries as read_queries
from partywall.client.evaluation.report import compare, page
from partywall.client.evaluation.run import MAX_CHARACTERS, Run, ask, document_of, read_run
from partywall.commands.connection import Connection, ServerOption, connect, failures
from partywall.commands.folder_import import FolderImport, ImportOptions
from partywall.commands.import_report import print_results
from partywall.commands.index_wait import wait_until_read
from partywall.commands.paths import existing_path
from partywall.commands.progress import open_meter
from partywall.commands.search import Mode
from partywall.commands.terminal import print_line, printable
from partywall.commands.usage_error import UsageError

MAX_WAIT_SECONDS: Final = 120.0
_MOST_OF_NAME: Final = 19
_MODES: Final = {mode.value for mode in Mode}

app = typer.Typer()


@app.command("eval")
def evaluate(
    folder: Annotated[
        Path, typer.Argument(parser=existing_path, help="Has queries.jsonl, qrels.tsv, and corpus.jsonl or corpus/.")
    ],
    project: Annotated[
        str | None, typer.Option("--project", help="Where its documents are, or go; default: a project of its own.")
    ] = None,
    mode: Annotated[str, typer.Option(metavar="MODE|FILE", help="Search mode, or saved results.")] = "hybrid",
    against: Annotated[
        str | None, typer.Option(metavar="MODE|FILE", help="Compare with this mode, or with saved results.")
    ] = None,
    split: Annotated[str, typer.Option(help="Which judgements, such as train.")] = TEST,
    language: Annotated[str | None, typer.Option(help="The documents' language, such as `de`.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write a page with plots and every query here.")] = None,
    save: Annotated[Path | None, typer.Option(help="Save the results here, to compare others with.")] = None,
    server: ServerOption = None,
) -> None:
    """Measure search on FOLDER: documents, queries and judgements.

    Imports the documents first, unless they are there, and asks the server every query.
    """
    if not split.isidentifier():
        raise UsageError("--split: use a name such as test or train")
    with failures():
        queries = read_queries(folder, split)
        settings = [_setting(each) for each in (against, mode) if each is not None]
    asked = [each for each in settings if isinstance(each, str)]
    if asked:
        with connect(server, RetryBudget(MAX_WAIT_SECONDS)) as connection:
            project_id = _filled(connection, folder, project or f"eval {folder.resolve().name}", language)
            _warn_of_long(queries)
            names = _names(connection, project_id)
            _check_documents({*names.values()}, queries)
            answers = {each: _asked(connection, project_id, each, queries, names) for each in asked}
        settings = [answers[each] if isinstance(each, str) else each for each in settings]
    runs = _named_apart([each for each in settings if isinstance(each, Run)])
    _print(queries, runs)
    if save is not None:
        save.write_text(runs[-1].model_dump_json(), encoding="utf-8")
    if report is not None:
        report.write_text(page(f"Search on {folder.resolve().name}", queries, runs), encoding="utf-8")


def _setting(given: str) -> str | Run:
    """A mode, or the results in a file. Raises CollectionError."""
    if given in _MODES:
        return given
    if not Path(given).is_file():
        raise CollectionError(f"{given!r} is neither a file of results nor one of {', '.join(sorted(_MODES))}")
    return read_run(Path(given))


def _filled(connection: Connection, folder: Path, name: str, language: str | None) -> str:
    """The id of the project, after the import of what it lacks."""
    project, made = connection.project_or_new(name)
    print_line(f"{'created' if made else 'using'} the project {project.name!r} ({project.id})", err=True)
    source = corpus(folder)
    if source is not None:
        metadata: dict[str, JsonValue] = {"language": language} if language else {}
        run = FolderImport(connection, project.id, ImportOptions(source, metadata=metadata))
        run.refresh()
        found = scan(source)
        run.run(found.files, {})
        wait_until_read(connection.api, project.id, run.results)
        if not run.results.complete:
            print_results(run.results, dry_run=False, as_json=False)
    return project.id


def _warn_of_long(queries: Sequence[Query]) -> None:
    for query in queries:
        if len(query.text.strip()) > MAX_CHARACTERS:
            print_line(f"warning: query {query.id!r} is asked with its first {MAX_CHARACTERS:,} characters", err=True)


def _names(connection: Connection, project_id: str) -> dict[str, str]:
    """The ids of the project's documents in the collection, by their ids on the server."""
    known = known_documents(connection.api, project_id)
    return {each.id: document_of(external_id) for external_id, each in known.items()}


def _check_documents(there: set[str], queries: Sequence[Query]) -> None:
    """Warns about judged documents that the project lacks. Raises UsageError if it has none of them."""
    judged = {document for query in queries for document, grade in query.grades.items() if grade}
    missing = judged - there
    if missing == judged:
        raise UsageError(f"the project has none of the judged documents, such as {printable(min(judged))!r}")
    if missing:
        print_line(f"warning: {len(missing)} of {len(judged)} judged documents are not in the project", err=True)


def _asked(
    connection: Connection, project_id: str, mode: str, queries: Sequence[Query], names: Mapping[str, str]
) -> Run:
    with open_meter(f"asking, {mode}", len(queries)) as meter:
        return ask(connection.api, project_id, mode, queries, names, meter.reach)


def _named_apart(runs: list[Run]) -> list[Run]:
    """Two with one name, such as the same file, get a number."""
    if len({run.name[:_MOST_OF_NAME] for run in runs}) == len(runs):
        return runs
    return [run.model_copy(update={"name": f"{at}: {run.name}"}) for at, run in enumerate(runs, start=1)]


def _print(queries: Sequence[Query], runs: Sequence[Run]) -> None:
    print_line(f"queries: {len(queries)}")
    if len(runs) == 1:
        for name, value in runs[0].means(queries).items():
            print_line(f"{name:12}{value:8.4f}")
        return
    print_line(f"{'':12}{runs[0].name[:_MOST_OF_NAME]:>20}{runs[1].name[:_MOST_OF_NAME]:>20}{'difference':>12}{'p':>9}")
    for each in compare(queries, *runs):
        print_line(f"{each.measure:12}{each.first:20.4f}{each.second:20.4f}{each.difference:+12.4f}{each.p:9.4f}")
