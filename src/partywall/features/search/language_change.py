"""After a change of the project's language: the documents that depend on it are indexed again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from partywall.core.jobs.context import JobContext
from partywall.features.documents import index_queue as documents
from partywall.features.documents.constants import LANGUAGE
from partywall.features.projects.jobs import ProjectLanguageChanged
from partywall.features.search.beginning_repository import Beginning, BeginningReader, beginning
from partywall.features.search.languages import language_of

EXAMINED_AT_ONCE: Final = 200


async def apply_language(context: JobContext, payload: ProjectLanguageChanged) -> None:
    """Queues those whose language is neither given nor recognised, and those that may be indexed right now."""
    after = UUID(int=0)
    while True:
        async with context.read(payload) as (session, scope):
            found = await BeginningReader(session, scope).without_language(after, EXAMINED_AT_ONCE)
        if not found:
            return
        if ids := await asyncio.to_thread(_dependent, found):
            async with context.begin(payload) as (session, scope):
                await documents.await_again(session, scope, ids)
        after = found[-1].id
        context.progressed()


def _dependent(found: Sequence[Beginning]) -> list[UUID]:
    return [
        each.id
        for each in found
        if not each.settled or language_of({LANGUAGE: each.tag}, beginning(each.title, each.texts)) is None
    ]
