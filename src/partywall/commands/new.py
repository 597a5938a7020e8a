from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from partywall.commands.paths import given_path
from partywall.commands.terminal import print_line
from partywall.commands.usage_error import UsageError
from partywall.core.feature import FeatureError
from partywall.extensions.new_package import write_package

app = typer.Typer(name="new", help="Write a new package with a feature.")


@app.callback()
def _group() -> None:
    pass


@app.command()
def feature(
    name: Annotated[str, typer.Argument(help="The feature's name, such as saved_questions.")],
    directory: Annotated[
        Path | None, typer.Option("--dir", help="The directory to create; NAME if not given.", parser=given_path)
    ] = None,
) -> None:
    """Write a small working package with a feature: a table, routes, an event, a job, an agent tool and tests."""
    place = Path(name) if directory is None else directory
    try:
        written = write_package(name, place)
    except FeatureError as error:
        raise UsageError(str(error)) from None
    print_line(f"wrote {len(written)} files to {place}")
    print_line(f"next: pip install -e '{place}[test]', then `partywall check {place}` and pytest in {place}")
