from __future__ import annotations

from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Source

FILE_LINES = 300
FUNCTION_LINES = 40


def file_size(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    lines = len(source.text.splitlines())
    if lines >= FILE_LINES:
        yield source.finding("file-size", 1, f"{lines} lines; a file stays under {FILE_LINES}: split it by use case")


def function_size(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    for function in source.functions():
        lines = (function.end_lineno or 0) - function.body[0].lineno + 1
        if lines >= FUNCTION_LINES:
            message = f"{function.name} has {lines} lines; a function stays under {FUNCTION_LINES}"
            yield source.finding("function-size", function.lineno, message)
