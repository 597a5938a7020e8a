from __future__ import annotations

from typing import Annotated

import typer

from partywall.commands.configuration import load_settings
from partywall.commands.features import require_features
from partywall.commands.terminal import print_lines
from partywall.core.rights_table import as_markdown, as_text
from partywall.extensions.enabled import enabled_features

app = typer.Typer()


@app.command()
def rights(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table, as in the docs.")] = False,
) -> None:
    """Print what each role may do in a project."""
    settings = load_settings(
        {"environment": "development", "database": {"engine": "embedded"}, "cache": {"engine": "embedded"}}
    )
    require_features(settings)
    rights = [right for feature in enabled_features(settings.features.enabled) for right in feature.rights]
    print_lines(as_markdown(rights) if markdown else as_text(rights))
