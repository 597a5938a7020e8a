"""Calls each method of every repository that takes a scope with another project's rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid5

import orjson

from partywall.core.clock import utc_now
from partywall.core.events.batches import WireEvent
from partywall.core.ids import new_id
from partywall.core.security.api_keys import new_key
from partywall.core.tenancy import Role
from partywall.features.documents.filters.tree import Comparison, Field, Operator
from partywall.features.documents.patch import DocumentFields
from partywall.features.documents.repository import DocumentChange, DocumentRepository
from partywall.features.search.chunk_repository import NewChunk
from partywall.features.search.computed_vectors import ComputedVectors
from partywall.features.search.constants import NARROW
from partywall.features.search.copies import Wording
from partywall.features.search.index_repository import KnownIndex
from partywall.features.search.repository import Corpus, SearchRepository, ServingIndex
from partywall.features.search.term_plan import AskedTerm
from partywall.features.search.terms import QueryWords, counted_words
from partywall.features.search.vector_change_repository import VectorChange
from partywall.features.webhooks.repository import WebhookOptions
from partywall.features.webhooks.retry_policy import Outcome
from tests.isolation.agent_calls import AGENT_CALLS, Call
from tests.isolation.entry_calls import ENTRY_CALLS
from tests.isolation.file_calls import FILE_CALLS
from tests.isolation.seeded_project import SeededProject

type Repository = Any  # the classes differ by module

NUMBERS: Final = list(range(1, 50))  # of chunks, as an identity column counts them in a new database
VECTOR: Final = "[" + ",".join(["0.1"] * 256) + "]"
VECTORS: Final = [VECTOR] * len(NUMBERS)


def known(seeded_project: SeededProject) -> KnownIndex:
    return KnownIndex(UUID(seeded_project.ids["search_index_id"]), "a model", 256, "active", approximate=False)


def retired(seeded_project: SeededProject) -> KnownIndex:
    return KnownIndex(uuid5(seeded_project.project, "retired"), "an old model", 256, "retired", approximate=False)


def changes(seeded_project: SeededProject) -> list[VectorChange]:
    index = retired(seeded_project)
    return [
        VectorChange(index.id, number, index.model, 256, deleted_once=True, claim=DUE, kept=False, vector=None)
        for number in NUMBERS
    ]


def serving(seeded_project: SeededProject) -> ServingIndex:
    return ServingIndex(UUID(seeded_project.ids["search_index_id"]), "a model", 256, approximate=True)


def corpus(seeded_project: SeededProject) -> Corpus:
    return Corpus(chunks=2, terms=20, configurations=["english"], index=serving(seeded_project))


def deletion(seeded_project: SeededProject) -> UUID:
    return UUID(seeded_project.ids["deletion_id"])


def in_an_hour() -> datetime:
    return utc_now() + timedelta(hours=1)


def retitled() -> DocumentChange:
    wanted = DocumentFields("taken", "", None, "draft", {})
    return DocumentChange(wanted, {"title"}, digest=None, version=None, awaits_index=False)


def decided() -> WebhookOptions:
    return WebhookOptions("https://example.com/", None, None, enabled=True)


def chunk(seeded_project: SeededProject) -> NewChunk:
    return NewChunk(seeded_project.document, 0, 4, "english", "title", "text", Wording(1, 0))


def key(seeded_project: SeededProject) -> UUID:
    return UUID(seeded_project.ids["key_id"])


def invitation(seeded_project: SeededProject) -> UUID:
    return UUID(seeded_project.ids["invitation_id"])


def webhook(seeded_project: SeededProject) -> UUID:
    return UUID(seeded_project.ids["webhook_id"])


async def _summaries(repository: DocumentRepository, seeded_project: SeededProject) -> object:
    return orjson.loads(await repository.summaries([seeded_project.document]))


async def _asked(repository: SearchRepository, seeded_project: SeededProject) -> object:
    terms = await repository.asked(corpus(seeded_project), QueryWords.of(seeded_project.word, ["english"]))
    return [term for term in terms if term.times]


# When the deliveries were found due, and their results.
DUE: Final = datetime(2026, 1, 1, tzinfo=UTC)
REFUSED: Final = Outcome(500, "no")
EVERYTHING: Final = Comparison(Field("created_at"), Operator.GT, (datetime(2020, 1, 1, tzinfo=UTC),))
PAGE: Final = ("created_at", 10, 0, None)
CALLS: Final[Mapping[str, Call]] = {
    "ProjectAuditRepository.count": lambda r, _: r.count(),
    "ProjectAuditRepository.page": lambda r, _: r.page(*PAGE),
    "ApiKeyRepository.count": lambda r, _: r.count(),
    "ApiKeyRepository.page": lambda r, _: r.page(*PAGE),
    "ApiKeyWriter.add": lambda r, _: r.add(new_key(), "a key", "admin", None),
    "ApiKeyWriter.revoke": lambda r, seeded_project: r.revoke(key(seeded_project)),
    "BeginningReader.without_language": lambda r, _: r.without_language(UUID(int=0), 10),
    "DocumentRepository.content": lambda r, seeded_project: r.content(seeded_project.document),
    "DocumentWriter.lock": lambda r, seeded_project: r.lock(seeded_project.document),
    "DocumentWriter.hold_equal_file": lambda r, seeded_project: r.hold_equal_file(seeded_project.blob[:64]),
    "DocumentWriter.lock_to_delete": lambda r, seeded_project: r.lock_to_delete(seeded_project.document),
    "DocumentRepository.shown": lambda r, seeded_project: r.shown(seeded_project.document),
    "DocumentRepository.summaries": _summaries,
    "DocumentRepository.existing": lambda r, seeded_project: r.existing([seeded_project.document]),
    "DocumentRepository.version": lambda r, seeded_project: r.version(seeded_project.document, 1),
    "DocumentRepository.used": lambda r, seeded_project: r.used([seeded_project.blob]),
    "DocumentWriter.write": lambda r, seeded_project: r.write(seeded_project.document, retitled()),
    "DocumentWriter.add_version": lambda r, seeded_project: r.add_version(seeded_project.document),
    "DocumentWriter.mark_unread": lambda r, seeded_project: r.mark_unread(seeded_project.document),
    "DocumentWriter.await_index": lambda r, seeded_project: r.await_index([seeded_project.document]),
    "DocumentWriter.await_index_of": lambda r, _: r.await_index_of(None, None, UUID(int=0), 10),
    "FaultReader.after": lambda r, seeded_project: r.after(known(seeded_project), 0, 10),
    "FaultReader.of_documents": lambda r, seeded_project: r.of_documents(
        known(seeded_project), [seeded_project.document]
    ),
    "IndexReader.indexes": lambda r, _: r.indexes(),
    "IndexReader.documents_without_vector": lambda r, seeded_project: r.documents_without_vector(
        replace(retired(seeded_project), dimension=384), [seeded_project.document], 0
    ),
    "IndexReader.without_vector": lambda r, seeded_project: r.without_vector(retired(seeded_project), 0, 10),
    "IndexReader.without_vector_of": lambda r, seeded_project: r.without_vector_of(
        replace(retired(seeded_project), dimension=384), [seeded_project.document], 0, 10
    ),
    "IndexWriter.activate": lambda r, seeded_project: r.activate(known(seeded_project)),
    "ChunkWriter.add": lambda r, seeded_project: r.add(
        [chunk(seeded_project)], counted_words([chunk(seeded_project)]), None, [known(seeded_project).id], large=False
    ),
    "IndexWriter.add_vectors": lambda r, seeded_project: r.add_vectors(
        retired(seeded_project), ComputedVectors(NUMBERS, VECTORS), approximate=False
    ),
    "IndexWriter.clear": lambda r, seeded_project: r.clear(retired(seeded_project).id, 10),
    "IndexWriter.lock_for_change": lambda r, _: r.lock_for_change(),
    "IndexWriter.lock_indexes": lambda r, _: r.lock_indexes(),
    "IndexWriter.open": lambda r, _: r.open("another model", 256, "building"),
    "ChunkWriter.remember": lambda r, _: r.remember(["german"]),
    "ChunkWriter.remove": lambda r, seeded_project: r.remove([seeded_project.document]),
    "IndexWriter.retire": lambda r, seeded_project: r.retire(known(seeded_project)),
    "IndexWriter.size": lambda r, _: r.size(),
    "IndexingRepository.explain": lambda r, seeded_project: r.explain(
        seeded_project.project, [seeded_project.document], "the server is away"
    ),
    "IndexingRepository.await_vectors": lambda r, seeded_project: r.await_vectors([seeded_project.document], "a note"),
    "IndexingRepository.await_again": lambda r, seeded_project: r.await_again([seeded_project.document]),
    "IndexingRepository.keep": lambda r, seeded_project: r.keep(
        seeded_project.project, [seeded_project.document], timedelta(hours=1)
    ),
    "IndexingRepository.release": lambda r, seeded_project: r.release(
        seeded_project.project, [seeded_project.document], timedelta(hours=1), counted=True
    ),
    "IndexingRepository.settle": lambda r, seeded_project: r.settle(
        seeded_project.project, [(seeded_project.document, 2, None, "failed", "no reason", 7)]
    ),
    "InvitationRepository.count": lambda r, _: r.count(),
    "InvitationRepository.get": lambda r, seeded_project: r.get(invitation(seeded_project)),
    "InvitationRepository.has_address": lambda r, _: r.has_address("x@example.com"),
    "InvitationRepository.page": lambda r, _: r.page(*PAGE),
    "InvitationRepository.project_name": lambda r, _: r.project_name(),
    "InvitationWriter.add": lambda r, seeded_project: r.add(
        new_id(), "y@example.com", Role.OWNER, b"hash", in_an_hour()
    ),
    "InvitationWriter.remove": lambda r, seeded_project: r.remove(invitation(seeded_project)),
    "InvitationWriter.withdraw": lambda r, seeded_project: r.withdraw(seeded_project.owner.principal, [Role.VIEWER]),
    "MemberRepository.count": lambda r, _: r.count(),
    "MemberRepository.get": lambda r, seeded_project: r.get(seeded_project.owner.id),
    "MemberRepository.has_address": lambda r, seeded_project: r.has_address(seeded_project.owner.email),
    "MemberRepository.owners": lambda r, _: r.owners(),
    "MemberRepository.page": lambda r, _: r.page(*PAGE),
    "MemberWriter.change": lambda r, seeded_project: r.change(seeded_project.owner.id, Role.VIEWER),
    "MemberWriter.remove": lambda r, seeded_project: r.remove(seeded_project.owner.id),
    "ProjectRepository.get": lambda r, _: r.get(),
    "ProjectWriter.describe": lambda r, _: r.describe("taken", None, "de"),
    "ProjectWriter.delete": lambda r, _: r.delete(),
    "UsageRepository.usage": lambda r, _: r.usage(),
    "SearchRepository.numbers": lambda r, _: r.numbers(EVERYTHING),
    "DeletionWriter.add": lambda r, _: r.add({}),
    "DeletionWriter.unfinished": lambda r, _: r.unfinished(),
    "DeletionWriter.lock": lambda r, seeded_project: r.lock(deletion(seeded_project)),
    "DeletionWriter.matching": lambda r, _: r.matching(EVERYTHING, in_an_hour(), None, 10),
    "DeletionWriter.advance": lambda r, seeded_project: r.advance(deletion(seeded_project), seeded_project.document, 1),
    "DeletionWriter.fail": lambda r, seeded_project: r.fail(deletion(seeded_project), "user:somebody", "no"),
    "DeletionWriter.finish": lambda r, seeded_project: r.finish(deletion(seeded_project)),
    "SearchRepository.asked": _asked,
    "SearchRepository.by_text": lambda r, seeded_project: r.by_text(
        corpus(seeded_project), [AskedTerm(seeded_project.word, 1, ["english"], 1)], NARROW, None
    ),
    "SearchRepository.by_vector": lambda r, seeded_project: r.by_vector(
        serving(seeded_project), VECTOR, NARROW, None, approximate=False
    ),
    "StagedReader.places": lambda r, seeded_project: r.places(seeded_project.document, 1),
    "StagedWriter.remove": lambda r, seeded_project: r.remove(seeded_project.document, 1, 10),
    "StagedWriter.switch": lambda r, seeded_project: r.switch(seeded_project.document, 1),
    "StagedWriter.sweep": lambda r, seeded_project: r.sweep(seeded_project.document, None, 10),
    "DeliveryRepository.count": lambda r, seeded_project: r.count(webhook(seeded_project), None),
    "DeliveryRepository.get": lambda r, seeded_project: r.get(
        webhook(seeded_project), UUID(seeded_project.ids["delivery_id"])
    ),
    "DeliveryRepository.oldest_event": lambda r, _: r.oldest_event(),
    "DeliveryRepository.page": lambda r, seeded_project: r.page(webhook(seeded_project), None, *PAGE),
    "DeliveryWriter.ask_again": lambda r, seeded_project: r.ask_again(UUID(seeded_project.ids["delivery_id"])),
    "DeliverySessionRepository.fan_out": lambda r, seeded_project: r.fan_out(
        webhook(seeded_project), [WireEvent(1_000, "a.b", "", b"")], 1_000, timedelta(hours=1)
    ),
    "DeliverySessionRepository.finish": lambda r, seeded_project: r.finish(
        UUID(seeded_project.ids["delivery_id"]), DUE, "failed", REFUSED
    ),
    "DeliverySessionRepository.lock": lambda r, seeded_project: r.lock(webhook(seeded_project)),
    "DeliverySessionRepository.note_failure": lambda r, seeded_project: r.note_failure(
        webhook(seeded_project), utc_now(), None, "gone"
    ),
    "DeliverySessionRepository.note_success": lambda r, seeded_project: r.note_success(webhook(seeded_project)),
    "DeliverySessionRepository.postpone": lambda r, seeded_project: r.postpone(
        UUID(seeded_project.ids["delivery_id"]), DUE, timedelta(hours=1), REFUSED
    ),
    "DeliverySessionRepository.keep_due": lambda r, seeded_project: r.keep_due(
        UUID(seeded_project.ids["delivery_id"]), REFUSED
    ),
    "HeldVectors.all": lambda r, seeded_project: r.all(known(seeded_project).id),
    "HeldVectors.still": lambda r, seeded_project: r.still(known(seeded_project).id, NUMBERS),
    "HeldVectors.waiting": lambda r, seeded_project: r.waiting(retired(seeded_project).id),
    "VectorChanges.claim": lambda r, _: r.claim(10),
    "VectorChanges.confirm": lambda r, seeded_project: r.confirm(changes(seeded_project)),
    "VectorChanges.release": lambda r, seeded_project: r.release(changes(seeded_project)),
    "VectorChanges.note": lambda r, seeded_project: r.note(known(seeded_project).id, NUMBERS),
    "VectorPromoter.turn": lambda r, seeded_project: r.turn(known(seeded_project), external=True),
    "VectorPromoter.finish": lambda r, seeded_project: r.finish(known(seeded_project)),
    "VectorPromoter.promote": lambda r, seeded_project: r.promote(known(seeded_project), 0, 10),
    "WebhookRepository.count": lambda r, _: r.count(),
    "WebhookRepository.get": lambda r, seeded_project: r.get(webhook(seeded_project)),
    "WebhookWriter.lock": lambda r, seeded_project: r.lock(webhook(seeded_project)),
    "WebhookRepository.page": lambda r, _: r.page(*PAGE),
    "WebhookWriter.add": lambda r, _: r.add("https://example.com/", None, None, b"sealed"),
    "WebhookWriter.decide": lambda r, seeded_project: r.decide(webhook(seeded_project), decided()),
    "WebhookWriter.remove": lambda r, seeded_project: r.remove(webhook(seeded_project)),
    "WebhookWriter.resume": lambda r, seeded_project: r.resume(webhook(seeded_project)),
    "WebhookWriter.rotate": lambda r, seeded_project: r.rotate(webhook(seeded_project), b"sealed", in_an_hour()),
    "WebhookWriter.start_afresh": lambda r, seeded_project: r.start_afresh(webhook(seeded_project), enabled=True),
    "SearchRepository.owners": lambda r, _: r.owners([7], None, 10),
    "SearchRepository.shown": lambda r, _: r.shown(NUMBERS),
    "SearchRepository.wordings": lambda r, _: r.wordings(NUMBERS),
    **AGENT_CALLS,
    **FILE_CALLS,
    **ENTRY_CALLS,
}
