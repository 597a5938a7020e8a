"""Runs a command of `partywall`, as a process or here."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import BytesIO, TextIOWrapper
from pathlib import Path
from subprocess import CompletedProcess
from typing import Final

import pytest
import structlog

from partywall import cli

ROOT: Final = Path(__file__).parents[1]


def run(
    *arguments: str, environment: Mapping[str, str], stdin: str = "", timeout: float = 120, cwd: Path = ROOT
) -> CompletedProcess[str]:
    command = [sys.executable, "-m", "partywall", *arguments]
    return subprocess.run(
        command, env=environment, input=stdin, capture_output=True, text=True, timeout=timeout, cwd=cwd, check=False
    )


def run_here(
    *arguments: str, environment: Mapping[str, str], stdin: str = "", cwd: Path = ROOT
) -> CompletedProcess[str]:
    """The same in this process: to start Python and import everything takes most of a command's time."""
    output, errors = _stream(), _stream()
    with (
        _replaced(environment, stdin, cwd), redirect_stdout(output), redirect_stderr(errors),
        ThreadPoolExecutor(1) as thread,  # as a command may run an event loop, and handles no signals there
    ):  # fmt: skip
        code = thread.submit(cli.run, arguments).result()
    return CompletedProcess(arguments, code, _text(output), _text(errors))


def _stream(text: str = "") -> TextIOWrapper:
    return TextIOWrapper(BytesIO(text.encode()), "utf-8", write_through=True)


def _text(stream: TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


@contextmanager
def _replaced(environment: Mapping[str, str], stdin: str, cwd: Path) -> Iterator[None]:
    """As in a process of its own; restores the logging, which a command configures."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ.keys() - environment.keys():
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdin", _stream(stdin))
        patch.chdir(cwd)
        yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)
