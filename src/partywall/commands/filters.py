"""The option `--filter`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from partywall.commands.usage_error import UsageError


def given_filter(text: str) -> str:
    """The JSON of an object; the server checks what is in it. Raises UsageError."""
    try:
        is_object = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--filter is not JSON: {error}") from None  # one line for a person
    if not is_object:
        raise UsageError('--filter is not a JSON object such as {"field": "metadata.year", "op": "eq", "value": 2025}')
    return text


FilterOption = Annotated[
    str | None,
    typer.Option("--filter", metavar="JSON", parser=given_filter, help="Only documents that match, as with the API."),
]
