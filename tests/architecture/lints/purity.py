"""Time, randomness, the environment and the terminal are each accessed through one module."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Source
from tests.architecture.lints.entry_points import COMMAND_LINE

CLOCK_HOME = ("core/clock.py",)
NOW = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
IDS_HOME = ("core/ids.py",)
NEW_ID = {"uuid1", "uuid4", "uuid6", "uuid7", "uuid8"}
STAND_INS = {"unittest", "mock", "fakeredis", "tests"}
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv", "os.putenv"}


def clock(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    if not source.inside(*CLOCK_HOME):
        for node in source.nodes(ast.Attribute):
            if _tail(node) in NOW:
                yield source.finding("clock", node.lineno, f"{_tail(node)}: take the time from core/clock")
        yield from _named_imports(source, "clock", {"time.time", "time.time_ns"}, "take the time from core/clock")


def ids(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    if source.inside(*IDS_HOME):
        return
    for node in source.nodes(ast.Attribute):
        if node.attr in NEW_ID and isinstance(node.value, ast.Name) and node.value.id.startswith("uuid"):
            yield source.finding("ids", node.lineno, f"{node.attr}: take ids from core/ids")
    made = {f"{module}.{name}" for module in ("uuid", "uuid_utils", "uuid_utils.compat") for name in NEW_ID}
    yield from _named_imports(source, "ids", made, "take ids from core/ids")


def environ(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    if source.inside("settings", "asgi.py", "server.py", "worker.py", *COMMAND_LINE):
        return
    for node in source.nodes(ast.Attribute):
        if _tail(node) in ENVIRONMENT:
            yield source.finding("environ", node.lineno, f"{_tail(node)}: receive settings as values")
    yield from _named_imports(source, "environ", ENVIRONMENT, "receive settings as values")


def prints(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    if source.inside(*COMMAND_LINE):
        return
    for node in source.nodes(ast.Call):
        called = ast.unparse(node.func)
        if called in {"print", "sys.stdout.write", "sys.stderr.write"}:
            yield source.finding("print", node.lineno, f"{called}: log it; only the command line prints")


def raw_echo(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """Text from documents, accounts and servers must not control the user's terminal."""
    if not source.inside(*COMMAND_LINE) or source.inside("commands/terminal.py", "supervisor/"):
        return
    for node in source.nodes(ast.Call):
        called = ast.unparse(node.func)
        if called in {"print", "typer.secho"} or called.endswith((".echo", ".print", "stdout.write", "stderr.write")):
            yield source.finding("raw-echo", node.lineno, f"{called}: print it through commands/terminal.py")


def stand_in(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """Shipped code contains no test doubles and no unfinished functions."""
    for imported in source.imports():
        if imported.target.partition(".")[0] in STAND_INS:
            yield source.finding("stand-in", imported.line, f"{imported.target}; only tests may use it")
    for node in source.nodes(ast.Raise):
        if node.exc is not None and "NotImplementedError" in ast.unparse(node.exc):
            yield source.finding("stand-in", node.lineno, "NotImplementedError: implement it or remove it")


def _tail(node: ast.Attribute) -> str:
    """The last two names: `datetime.now` also for `datetime.datetime.now`."""
    return ".".join(ast.unparse(node).split(".")[-2:])


def _named_imports(source: Source, rule: str, names: set[str], message: str) -> Iterator[Finding]:
    for imported in source.imports():
        if imported.name and imported.target in names:
            yield source.finding(rule, imported.line, f"{imported.target}: {message}")
