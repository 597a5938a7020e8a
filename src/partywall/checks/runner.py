"""Runs lints and applies `# lint: allow <rule> - reason`, on the line or in a comment directly above it."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from partywall.checks.source import Codebase, Finding, Lint, Source

ESCAPE = re.compile(r"#\s*lint:\s*allow\b\s*(?P<rule>[\w-]*)\s*(?:-+\s*(?P<reason>\S.*))?")
SHORTEST_REASON = 8


@dataclass(frozen=True)
class Escape:
    rule: str
    reason: str
    line: int
    covers: int


def run(codebase: Codebase, lints: Mapping[str, Lint]) -> list[Finding]:
    return sorted(finding for source in codebase.sources for finding in _lint(source, codebase, lints))


def escapes(source: Source) -> Iterator[Escape]:
    """A trailing comment covers its own line, a standalone comment the next line of code."""
    lines = source.text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        if token.type is not tokenize.COMMENT or not (match := ESCAPE.match(token.string)):
            continue
        line = covers = token.start[0]
        if lines[line - 1].lstrip().startswith("#"):
            covers = next((n for n in range(line, len(lines)) if not _is_comment(lines[n])), line) + 1
        yield Escape(match["rule"], (match["reason"] or "").strip(), line, covers)


def _is_comment(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _lint(source: Source, codebase: Codebase, lints: Mapping[str, Lint]) -> Iterator[Finding]:
    allowed = list(escapes(source))
    used: set[Escape] = set()
    for rule, lint in lints.items():
        for finding in lint(source, codebase):
            cover = next((e for e in allowed if e.rule == rule and _covers(e, finding)), None)
            if cover is None:
                yield finding
            else:
                used.add(cover)
    yield from (_complaint(source, escape, lints, escape in used) for escape in allowed if _is_bad(escape, lints, used))


def _covers(escape: Escape, finding: Finding) -> bool:
    """A finding about the whole file is on line 1 and can be allowed anywhere in the file."""
    return finding.line == escape.covers or finding.rule == "file-size"


def _is_bad(escape: Escape, lints: Mapping[str, Lint], used: set[Escape]) -> bool:
    return escape.rule not in lints or len(escape.reason) < SHORTEST_REASON or escape not in used


def _complaint(source: Source, escape: Escape, lints: Mapping[str, Lint], is_used: bool) -> Finding:
    if escape.rule not in lints:
        return source.finding("escape", escape.line, f"no rule is named {escape.rule!r}")
    if not is_used:
        return source.finding("escape", escape.line, f"nothing here violates {escape.rule!r} any more")
    return source.finding("escape", escape.line, f"give the reason why {escape.rule!r} is allowed here: `- reason`")
