from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

# lint: allow adapter-import - the operator downloads a model before any resource exists
from partywall.adapters.embeddings.installed import INSTALLERS
from partywall.commands.configuration import DataDir
from partywall.commands.terminal import print_line
from partywall.commands.usage_error import UsageError
from partywall.core.embedders import EmbeddingError

app = typer.Typer(name="models", help="Embedding models that are not bundled.")


class Model(StrEnum):
    MINILM = "minilm"
    E5 = "e5"


@app.command()
def install(
    model: Annotated[
        Model, typer.Argument(help="all-MiniLM-L6-v2 or multilingual-e5-small; 83 and 91 MB are downloaded.")
    ],
    data_dir: DataDir = Path(".data"),
) -> None:
    """Download a model, check its hash and store it in the data directory."""
    try:
        target = INSTALLERS[model.value](data_dir / "models")
    except (EmbeddingError, OSError) as error:
        raise UsageError(str(error)) from None
    print_line(f"{model.value} is installed in {target}; EMBEDDINGS__ENGINE={model.value} uses it.")


@app.callback()
def _group() -> None:
    pass
