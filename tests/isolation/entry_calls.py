"""Calls each method of the repository of archives' files with another project's rows."""

from __future__ import annotations

from typing import Final

from partywall.features.documents.entry_repository import Archive
from tests.isolation.agent_calls import Call
from tests.isolation.file_calls import unread
from tests.isolation.seeded_project import SeededProject


def archive(seeded_project: SeededProject) -> Archive:
    return Archive(unread(seeded_project), "taken")


ENTRY_CALLS: Final[dict[str, Call]] = {
    "EntryRepository.known": lambda r, seeded_project: r.known(archive(seeded_project), ["a.txt"]),
    "EntryRepository.others": lambda r, seeded_project: r.others(unread(seeded_project), None, 10),
    "EntryRepository.paths": lambda r, seeded_project: r.paths(archive(seeded_project)),
    "EntryRepository.trashed": lambda r, seeded_project: r.trashed(archive(seeded_project), ["a.txt"]),
    "EntryWriter.is_restored": lambda r, seeded_project: r.is_restored(unread(seeded_project)),
    "EntryWriter.hold": lambda r, seeded_project: r.hold(archive(seeded_project)),
    "EntryWriter.note": lambda r, seeded_project: r.note(
        archive(seeded_project), seeded_project.document, "taken", "taken"
    ),
    "EntryWriter.note_seen": lambda r, seeded_project: r.note_seen(archive(seeded_project), [seeded_project.document]),
}
# The document $2 of the project $1 was made of a file in the archive $3, whose blob is $4.
ENTRY: Final = """
    INSERT INTO archive_entry (project_id, document_id, archive_id, path, sha256, archive_key)
    VALUES ($1, $2, $3, 'a.txt', 'hash', $4)
    ON CONFLICT (project_id, document_id) DO UPDATE
    SET archive_id = excluded.archive_id, path = excluded.path, archive_key = excluded.archive_key
"""
