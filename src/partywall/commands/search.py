from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from partywall.client.search import Hit, excerpt, explained, place, read_hits
from partywall.client.search import search as ask
from partywall.commands.connection import ProjectOption, ServerOption, connect
from partywall.commands.filters import FilterOption
from partywall.commands.terminal import print_json, print_line, printable

EXCERPT_CHARACTERS = 300

app = typer.Typer()


class Mode(StrEnum):
    HYBRID = "hybrid"
    TEXT = "text"
    VECTOR = "vector"


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What to look for, in words or as a question.")],
    project: ProjectOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many documents.")] = 10,
    mode: Annotated[Mode, typer.Option(help="By words and meaning, by words, or by meaning.")] = Mode.HYBRID,
    filter_: FilterOption = None,
    min_score: Annotated[
        float | None, typer.Option(min=0, max=1, help="Only documents with at least this score, from 0 to 1.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show how each score comes about.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the server's response.")] = False,
    server: ServerOption = None,
) -> None:
    """Find documents for QUERY, best first."""
    with connect(server) as connection:
        where = connection.project(project)
        answer = ask(
            connection.api, where.id, query,
            limit=limit, mode=mode.value, filter_=filter_, min_score=min_score, explain=explain,
        )  # fmt: skip
    if as_json:
        print_json(answer.decode(errors="replace"))
        return
    found, console = read_hits(answer), Console(highlight=False)
    if found.items:
        print_line(f"in {where.name!r}:")
    for rank, hit in enumerate(found.items, start=1):
        _show(rank, hit, console)
    if not found.items:
        print_line(f"nothing found in {where.name!r}", err=True)
    if found.reranked is False:
        print_line("the server's reranker did not answer: this is the order without it", err=True)


def _show(rank: int, hit: Hit, console: Console) -> None:
    """Highlights matches on a terminal; elsewhere a hit is two lines of any length."""
    title = Text.assemble(
        f"{rank:2}. ", (printable(hit.title), "bold"), f"  {hit.score:.3f}  {printable(hit.document_id)}"
    )
    if where := place(hit):
        title.append(f"  {printable(where)}")
    if hit.duplicates:
        title.append(f"  (the same text in {hit.duplicates} more)")
    # lint: allow raw-echo - rich text, made of printable strings
    console.print(title, soft_wrap=True)
    if hit.explanation is not None:
        # lint: allow raw-echo - numbers and our own words
        console.print(Text(f"    {explained(hit.explanation)}"), soft_wrap=True)
    shown, spans = excerpt(hit, EXCERPT_CHARACTERS)
    text = Text(printable(shown))
    for span in spans:
        text.stylize("bold yellow", span.start, span.end)
    flat = Text(" ").join(word for word in text.split(" ") if word.plain)
    if console.is_terminal:
        # lint: allow raw-echo - rich text, made of printable strings
        console.print(Padding(flat, (0, 0, 0, 4)))
    else:
        # lint: allow raw-echo - rich text, made of printable strings
        console.print(Text("    ").append_text(flat), soft_wrap=True)
    # lint: allow raw-echo - rich text, made of printable strings
    console.print()
