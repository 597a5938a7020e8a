"""Ctrl-C and SIGTERM at any time: no traceback, and an exit code that says so."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

import pytest

from partywall.commands.interruption import interruptible

# Sends the signal during an import, where a start spends most of its time.
PROGRAM = """
import signal, sys

class Signals:
    def find_spec(self, name, path=None, target=None):
        if name == MODULE:
            signal.raise_signal(SIGNAL)

MODULE, SIGNAL = sys.argv.pop(1), int(sys.argv.pop(1))
sys.meta_path.insert(0, Signals())
from partywall.cli import main
main()
"""


@pytest.mark.parametrize(
    ("module", "signum", "command", "code"),
    [
        ("typer", signal.SIGINT, "serve", 130),
        ("partywall.supervisor.options", signal.SIGTERM, "serve", 143),
        ("partywall.supervisor.serve", signal.SIGTERM, "supervise", 143),
        ("uvicorn", signal.SIGINT, "api", 130),
    ],
)
def test_a_signal_during_import_ends_the_program_silently(
    module: str, signum: signal.Signals, command: str, code: int
) -> None:
    arguments = [sys.executable, "-c", PROGRAM, module, str(int(signum)), command]
    ended = subprocess.run(arguments, capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, b"", b"")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_during_a_command_lets_it_clean_up(signum: signal.Signals, code: int) -> None:
    put_away = False

    async def work() -> None:
        nonlocal put_away
        asyncio.get_running_loop().call_soon(signal.raise_signal, signum)
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            put_away = True

    before = signal.getsignal(signum)
    with interruptible() as interruption:
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(work())
        assert interruption.code() == code
    assert put_away
    assert signal.getsignal(signum) is before


def test_a_finished_command_keeps_its_exit_code() -> None:
    with interruptible() as interruption:
        assert [interruption.code(code) for code in (0, 1, 2)] == [0, 1, 2]
