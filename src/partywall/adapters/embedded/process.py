from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT, Popen
from typing import IO

from partywall.adapters.embedded import launch
from partywall.adapters.embedded.account import Account

POLL_SECONDS = 0.02
LEFTOVER_SECONDS = 5.0

LAUNCHER = (sys.executable, "-I", "-S", launch.__file__)


def spawn(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    account: Account | None = None,
    reach: Sequence[Path] = (),
    death_signal: signal.Signals = signal.SIGKILL,
    output: IO[bytes] | None = None,
    stdin: bytes | int | None = None,
    directory: Path | None = None,
) -> Popen[bytes]:
    """Start a process that ends with this one, in its own session so that Ctrl-C reaches only this one.

    Without an `environment` it gets a minimal one, so that ours cannot configure an engine by accident.
    `stdin` is its input, or a descriptor to read it from.
    As another `account`, it can also access the paths in `reach` below directories closed to that account.
    Call it from the main thread: the kernel sends `death_signal` when the *thread* that forked ends.
    """
    kept = launch.KEEP_ENVIRONMENT if environment is not None else ""
    user = ("", "") if account is None else (str(account.uid), str(account.gid))
    process = Popen(
        [*LAUNCHER, str(os.getpid()), str(int(death_signal)), *user, kept, json.dumps(list(map(str, reach))), *command],
        env=environment,
        cwd=directory,
        stdin=DEVNULL if stdin is None else PIPE if isinstance(stdin, bytes) else stdin,
        stdout=output,
        stderr=None if output is None else STDOUT,
        start_new_session=True,
    )
    if isinstance(stdin, bytes) and process.stdin is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin:  # `exited` reports its end
            process.stdin.write(stdin)
    return process


def stop_with_parent(signum: signal.Signals) -> None:
    """Have the kernel send `signum` to this process when its parent ends. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(launch.PR_SET_PDEATHSIG, int(signum))


async def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    account: Account | None = None,
    reach: Sequence[Path] = (),
    output: IO[bytes] | None = None,
    directory: Path | None = None,
) -> int:
    """Run a program to its end and return its exit code; cancelling kills it."""
    process = spawn(command, environment=environment, account=account, reach=reach, output=output, directory=directory)
    try:
        return await exited(process)
    finally:
        await stop(process, ())


async def exited(process: Popen[bytes]) -> int:
    """Wait for the end of a process, without a thread; works on any event loop."""
    while process.poll() is None:
        if hasattr(os, "pidfd_open"):
            await _readable(os.pidfd_open(process.pid))
        else:
            await asyncio.sleep(POLL_SECONDS)
    return process.wait()


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def stop(process: Popen[bytes], steps: Sequence[tuple[signal.Signals, float]]) -> int:
    """Send each signal and wait its seconds for the end; finally SIGKILL the process group."""
    for signum, seconds in steps:
        if process.poll() is not None:
            break
        process.send_signal(signum)
        try:
            return await asyncio.wait_for(exited(process), seconds)
        except TimeoutError:
            continue
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    return await exited(process)


def running_in(directory: Path, program: str) -> list[int]:
    """Pids of `program` whose working directory is `directory`, read from /proc and safe against recycled pids."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            working_directory = (entry / "cwd").readlink()
            executable = (entry / "exe").readlink().name
        except OSError:
            continue
        if working_directory == directory and executable.removesuffix(" (deleted)") == program:
            found.append(int(entry.name))
    return found


async def end_leftovers(directory: Path, program: str, signum: signal.Signals, leader: int | None) -> int:
    """End processes that a killed supervisor left running in `directory`; returns how many it found.

    Without their `leader` they are killed at once, because only it could stop them in order.
    """
    found = running_in(directory, program)
    orphaned = leader is not None and leader not in found
    for pid in found:
        if leader is None or pid == leader:
            _signal(pid, signum)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LEFTOVER_SECONDS
    while left := running_in(directory, program):
        if orphaned or loop.time() > deadline:
            for pid in left:
                _signal(pid, signal.SIGKILL)
        await asyncio.sleep(POLL_SECONDS)
    return len(found)


def _signal(pid: int, signum: signal.Signals) -> None:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return
