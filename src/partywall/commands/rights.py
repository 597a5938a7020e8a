from __future__ import annotations

from typing import Annotated

import typer

from partywall.commands.terminal import print_lines
from partywall.core.rights_table import as_markdown, as_text
from partywall.extensions.enabled import enabled_features

app = typer.Typer()


@app.command()
def rights(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table, as in the docs.")] = False,
) -> None:
    """Print what each role may do in a project."""
    rights = [right for feature in enabled_features() for right in feature.rights]
    print_lines(as_markdown(rights) if markdown else as_text(rights))
