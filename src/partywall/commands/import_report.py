"""What `partywall import` prints of its results: for people to standard error, the counts to standard output."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from partywall.client.document_import import ImportCounts, ImportedDocument, Outcome, SkippedFile, UnreadDocument
from partywall.commands.terminal import print_json, print_line

# How many names are listed together; `--json` lists all.
NAMES_SHOWN: Final = 5
REFUSED_SHOWN: Final = 50
ALWAYS_SHOWN: Final = 4
# By code; the server's reason says what happened.
ADVICE: Final = {
    "empty": "Copy it again from where it came from.",
    "no_text": "If it has images: text in images is read only if the server recognizes it.",
    "unsupported": "Save it in another format.",
    "damaged": "Open it in its program and save it again.",
    "too_large": "Split it.",
    "quota": "Delete others, or ask the operator of the server for more.",
    "too_costly": "Split it, or ask the operator of the server to raise the limits.",
}


@dataclass(slots=True)
class ImportResults:
    """`unread` could not be read or indexed, `pending` were not when waiting ended: ids of documents."""

    counts: ImportCounts = field(default_factory=ImportCounts)
    imported: list[ImportedDocument] = field(default_factory=list)
    skipped: Sequence[SkippedFile] = ()
    unread: list[UnreadDocument] = field(default_factory=list)
    pending: set[str] = field(default_factory=set)
    waited: bool = False

    @property
    def complete(self) -> bool:
        return not (self.counts.failed or self.unread or self.pending)


def print_results(results: ImportResults, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        _print_as_json(results)
        return
    counts = results.counts
    if results.waited:
        _print_read(results)
    _print_limited([f"failed: {each.name}: {each.reason}" for each in counts.failed])
    _print_unread(results.unread)
    if results.pending:
        names = [each.place for each in results.imported if each.document.id in results.pending]
        print_line(f"still being read ({len(names)}): {listed(names)}; repeat the command to see the results", err=True)
    print_line(("would be: " if dry_run else "") + summary(results))


def summary(results: ImportResults) -> str:
    """Numbers that are 0 are left out, except the first four."""
    numbers = _numbers(results).items()
    return ", ".join(f"{number} {what}" for at, (what, number) in enumerate(numbers) if number or at < ALWAYS_SHOWN)


def _numbers(results: ImportResults) -> dict[str, int]:
    counts = results.counts
    return {
        "sent": counts.sent,
        "changed": counts.changed,
        "unchanged": counts.unchanged,
        "failed": len(counts.failed),
        "renamed": counts.renamed,
        "deleted": len(counts.deleted),
        "skipped": len(results.skipped),
        "without text": len(counts.blank),
        "not read": len(results.unread),
        "still being read": len(results.pending),
    }


def listed(names: Sequence[str], shown: int | None = NAMES_SHOWN) -> str:
    rest = "" if shown is None or len(names) <= shown else f" and {len(names) - shown} more"
    return ", ".join(names[:shown]) + rest


def skipped_lines(skipped: Iterable[SkippedFile], shown: int | None) -> list[str]:
    """One line for each reason."""
    groups = _grouped((each.reason, each.name) for each in skipped)
    return [f"skipped {len(names)} ({reason}): {listed(names, shown)}" for reason, names in groups.items()]


def _print_read(results: ImportResults) -> None:
    unfinished = {each.id for each in results.unread} | results.pending
    read = [each for each in results.imported if each.outcome is not Outcome.UNCHANGED]
    groups = _grouped((_kind(each.place), each.place) for each in read if each.document.id not in unfinished)
    if groups:
        print_line(f"read: {sum(map(len, groups.values()))}", err=True)
    for kind, names in sorted(groups.items(), key=lambda group: -len(group[1])):
        print_line(f"    {len(names):>5} {kind:<9} {listed(names)}", err=True)


def _kind(place: str) -> str:
    file, is_line, _ = place.rpartition(" line ")
    return PurePosixPath(file if is_line else place).suffix.lower() or "other"


def _print_unread(unread: Sequence[UnreadDocument]) -> None:
    """The names for each reason."""
    groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for each in unread:
        groups[each.code, explained(each)].append(f"    {each.place}")
    for (code, reason), names in groups.items():
        print_line(f"not read: {len(names)}{f' {code}' if code else ''}. {reason}", err=True)
        _print_limited(names)


def _print_limited(lines: Sequence[str]) -> None:
    for line in lines[:REFUSED_SHOWN]:
        print_line(line, err=True)
    if len(lines) > REFUSED_SHOWN:
        print_line(f"    and {len(lines) - REFUSED_SHOWN} more: --json lists all", err=True)


def explained(each: UnreadDocument) -> str:
    if not each.code:
        return each.reason
    advice = ADVICE.get(each.code, "")
    return f"{each.reason} {advice}" if advice else each.reason


def _grouped(keys_and_names: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for key, name in keys_and_names:
        groups[key].append(name)
    return groups


def _print_as_json(results: ImportResults) -> None:
    unread = {each.id: each for each in results.unread}
    for each in results.imported:
        document, failure = each.document, unread.get(each.document.id)
        pending = document.id in results.pending or not results.waited
        status = "failed" if failure else document.index_status if pending else "indexed"
        line = {
            "file": each.place, "outcome": each.outcome, "document_id": document.id,
            "external_id": document.external_id, "index_status": status,
        }  # fmt: skip
        print_json(json.dumps(line | ({"code": failure.code, "reason": failure.reason} if failure else {})))
    for refused in results.counts.failed:
        print_json(json.dumps({"file": refused.name, "outcome": "failed", "reason": refused.reason}))
    for skipped in results.skipped:
        print_json(json.dumps({"file": skipped.name, "outcome": "skipped", "reason": skipped.reason}))
    for name in results.counts.deleted:
        print_json(json.dumps({"file": name, "outcome": "deleted"}))
    print_json(json.dumps({"summary": {what.replace(" ", "_"): number for what, number in _numbers(results).items()}}))
