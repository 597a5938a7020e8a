from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from partywall.client.searching import Hit, excerpt, read_hits
from partywall.client.searching import search as ask
from partywall.commands.connection import ProjectOption, ServerOption, connect

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
    mode: Annotated[Mode, typer.Option(help="By word and meaning, by word, or by meaning.")] = Mode.HYBRID,
    as_json: Annotated[bool, typer.Option("--json", help="Print the server's answer.")] = False,
    server: ServerOption = None,
) -> None:
    """Find the documents that answer QUERY, the best first."""
    with connect(server) as connection:
        where = connection.project(project)
        answer = ask(connection.api, where.id, query, limit=limit, mode=mode.value)
    if as_json:
        typer.echo(answer)
        return
    hits = read_hits(answer)
    for rank, hit in enumerate(hits, start=1):
        _show(rank, hit)
    if not hits:
        typer.echo(f"nothing found in {where.name!r}", err=True)


def _show(rank: int, hit: Hit) -> None:
    """Plain text where nobody looks; on a terminal the words that were found stand out."""
    console = Console(highlight=False)
    console.print(
        Text.assemble(f"{rank:2}. ", (hit.title, "bold"), f"  {hit.score:.3f}  {hit.document_id}"), soft_wrap=True
    )
    shown, spans = excerpt(hit, EXCERPT_CHARACTERS)
    text = Text(shown)
    for span in spans:
        text.stylize("bold yellow", span.start, span.end)
    flat = Text("    ").append_text(Text(" ").join(line for line in text.split() if line.plain.strip()))
    console.print(flat, soft_wrap=True)
    console.print()
