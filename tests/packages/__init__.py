"""Third-party programs that tests run against this server, installed once from lock files into an ignored folder."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
from filelock import AsyncFileLock

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / ".test-packages"
_NODE: Final = Path(__file__).with_name("node")
_PYTHON: Final = ROOT / "requirements" / "openapi-client.txt"
# What npm and pip print if a registry is unreachable or lacks a package.
_NO_REGISTRY: Final = re.compile(
    r"E(?:NOTFOUND|CONNREFUSED|CONNRESET|TIMEDOUT|AI_AGAIN|40[134])\b|ERR_SOCKET_TIMEOUT|\(from versions: none\)"
    r"|NewConnectionError|ConnectTimeoutError"
)

# The reason why an installation failed, so that each run tries only once.
_missing: dict[str, str] = {}


async def run(
    *command: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """The exit code and the output."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(errors="replace")


async def node_packages() -> Path:
    """The folder with `node_modules`; skips the test without node, npm or a registry."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("clients in JavaScript need node and npm, which are not installed")
    files = [_NODE / name for name in ("package.json", "package-lock.json", ".npmrc")]
    install = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0")
    return await _installed("node", files, [install])


async def python_packages() -> Path:
    """The folder with the programs of a separate environment; skips the test if no registry answers."""
    pip = (sys.executable, "-m", "pip", "--python", "venv/bin/python", "--disable-pip-version-check", "--retries=1")
    install = (*pip, "install", "--quiet", "--require-hashes", "-r", _PYTHON.name)
    commands = [(sys.executable, "-m", "venv", "--without-pip", "venv"), install]
    place = await _installed(f"python{sys.version_info.minor}", [_PYTHON], commands)
    return place / "venv" / "bin"


async def _installed(name: str, files: Sequence[Path], commands: Sequence[Sequence[str]]) -> Path:
    key = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    place = CACHE / f"{name}-{key}"
    done = place / "installed"
    if name in _missing:
        pytest.skip(_missing[name])
    CACHE.mkdir(exist_ok=True)
    async with AsyncFileLock(CACHE / f"{name}.lock"):
        if not done.exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            for file in files:
                shutil.copy(file, place)
            for command in commands:
                await _install(name, command, place)
            done.touch()
    return place


async def _install(name: str, command: Sequence[str], place: Path) -> None:
    code, output = await run(*command, cwd=place)
    if code != 0 and (found := _NO_REGISTRY.search(output)):
        _missing[name] = f"the packages for {name} cannot be installed: the registry answers with {found[0]}"
        pytest.skip(_missing[name])
    assert code == 0, output
