from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

# lint: allow adapter-import - the operator downloads a model before any resource exists
from partywall.adapters.embeddings.minilm_files import ModelInstallError, install_minilm
from partywall.commands.configuration import DataDir
from partywall.commands.terminal import print_line
from partywall.commands.usage_error import UsageError

app = typer.Typer(name="models", help="Embedding models that are not bundled.")


class Model(StrEnum):
    MINILM = "minilm"


@app.command()
def install(
    model: Annotated[Model, typer.Argument(help="all-MiniLM-L6-v2, 83 MB.")],
    data_dir: DataDir = Path(".data"),
) -> None:
    """Download a model, check its hash and store it in the data directory."""
    try:
        target = install_minilm(data_dir / "models")
    except (ModelInstallError, OSError) as error:
        raise UsageError(str(error)) from None
    print_line(f"{model.value} is installed in {target}; EMBEDDINGS__ENGINE={model.value} uses it.")


@app.callback()
def _group() -> None:
    pass
