from __future__ import annotations

import json

import typer

from partywall.commands.configuration import load_settings
from partywall.commands.features import require_features
from partywall.commands.terminal import print_json
from partywall.core.http.openapi import document_below
from partywall.main import create_app

app = typer.Typer()


@app.command()
def openapi() -> None:
    """Print the OpenAPI document; opens no connection."""
    settings = load_settings(
        {"environment": "development", "database": {"engine": "embedded"}, "cache": {"engine": "embedded"}}
    )
    require_features(settings, api=True)
    document = document_below(create_app(settings).openapi(), settings.http.sub_path)
    print_json(json.dumps(document, indent=2, ensure_ascii=False))
