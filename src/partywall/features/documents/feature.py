from __future__ import annotations

from typing import Final

from partywall.core.events.types import EventType
from partywall.core.feature import Feature, Tag
from partywall.core.jobs.kinds import handles
from partywall.core.jobs.schedules import Schedule
from partywall.core.lazy import lazy
from partywall.features.documents.jobs import DELETE_ENTRIES, DELETE_MATCHING, PURGE_DOCUMENT, READ_FILE, RELEASE_BLOBS
from partywall.features.documents.rights import DOCUMENT_PURGE, DOCUMENT_READ, DOCUMENT_WRITE

feature: Final = Feature(
    name="documents",
    tags=(Tag("documents", "Documents of a project, their content and versions.", after="api keys"),),
    routers=(
        lazy("partywall.features.documents.router:router"),
        lazy("partywall.features.documents.version_router:router"),
        lazy("partywall.features.documents.file_router:router"),
        lazy("partywall.features.documents.trash_router:router"),
        lazy("partywall.features.documents.bulk_router:router"),
    ),
    rights=(DOCUMENT_READ, DOCUMENT_WRITE, DOCUMENT_PURGE),
    events=(
        EventType("document.created", "document"),
        EventType("document.updated", "document"),
        EventType("document.deleted", "document"),
        EventType("document.restored", "document"),
        EventType("document.indexed", "document"),
        EventType("document.failed", "document"),
    ),
    jobs=(
        handles(RELEASE_BLOBS, lazy("partywall.features.documents.blobs:release_blobs")),
        handles(
            READ_FILE,
            lazy("partywall.features.documents.file_reader:read_file"),
            concurrency=lambda resources: resources.settings.processes.texts_at_once,
            share=2,
            give_up=lazy("partywall.features.documents.file_reader:give_up_reading"),
        ),
        handles(DELETE_ENTRIES, lazy("partywall.features.documents.archive_entries:delete_entries")),
        handles(
            DELETE_MATCHING,
            lazy("partywall.features.documents.bulk_deletion:delete_matching"),
            give_up=lazy("partywall.features.documents.bulk_deletion:fail_deletion"),
        ),
        handles(PURGE_DOCUMENT, lazy("partywall.features.documents.purge:purge_document")),
    ),
    schedules=(
        Schedule("sweep_deleted_documents", "* * * * * 45", lazy("partywall.features.documents.purge:sweep_documents")),
        Schedule("expire_trash", "* * * * * 55", lazy("partywall.features.documents.purge:expire_trash")),
        Schedule("prune_versions", "23 2 * * *", lazy("partywall.features.documents.version_retention:prune_versions")),
        Schedule("sweep_blobs", "53 2 * * *", lazy("partywall.features.documents.blobs:sweep_blobs")),
    ),
    models=lazy("partywall.features.documents.models"),
)
