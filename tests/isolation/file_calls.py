"""Calls each method of the repositories of uploaded files and of the trash with another project's rows."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID, uuid5

from partywall.features.documents.file_repository import TextToStore
from tests.isolation.agent_calls import Call
from tests.isolation.seeded_project import SeededProject

_TEXT: Final = TextToStore("taken", "taken", "taken", 5, "hash", {})


def unread(seeded_project: SeededProject) -> UUID:
    return uuid5(seeded_project.project, "unread")


FILE_CALLS: Final[dict[str, Call]] = {
    "FileReader.find": lambda r, seeded_project: r.find(unread(seeded_project)),
    "FileWriter.fail": lambda r, seeded_project: r.fail(unread(seeded_project), "no reason", "taken"),
    "FileWriter.store": lambda r, seeded_project: r.store(unread(seeded_project), _TEXT),
    "DocumentWriter.lock_named": lambda r, seeded_project: r.lock_named(seeded_project.external_id),
    "ReplacementWriter.write": lambda r, seeded_project: r.write(unread(seeded_project), {"title": "taken"}),
    "TrashWriter.delete": lambda r, seeded_project: r.delete(seeded_project.document, timedelta(days=1)),
    "TrashWriter.lock": lambda r, seeded_project: r.lock(seeded_project.trashed),
    "TrashWriter.purge": lambda r, seeded_project: r.purge(seeded_project.trashed),
    "TrashWriter.restore": lambda r, seeded_project: r.restore(seeded_project.trashed),
}
# The document $2 of the project $1, whose file is still to be read.
UNREAD: Final = """
    INSERT INTO document (project_id, id, title, content, media_type, size, content_sha256, original_key,
        original_name, original_size, created_by, index_error, unread_title)
    SELECT project_id, $2, title, '', 'application/pdf', 0, 'none', 'taken',
        original_name, original_size, created_by, 'reading: soon', title
    FROM document WHERE project_id = $1 AND original_key IS NOT NULL LIMIT 1
"""
