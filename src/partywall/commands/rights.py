from __future__ import annotations

from typing import Annotated

import typer

from partywall.commands.terminal import print_lines
from partywall.features.projects.rights_table import as_markdown, as_text

app = typer.Typer()


@app.command()
def rights(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table, as in the docs.")] = False,
) -> None:
    """Print what each role may do in a project."""
    print_lines(as_markdown() if markdown else as_text())
