"""The order in which everybody takes a webhook's rows, so that no two wait for each other.

1. the project: a person's change and a takeover lock it, a turn holds it by `open_shared_scope`, its end waits for
both; 2. the webhook, by `lock_webhook` and in no other mode: two that shared it would let each other pass, and meet
again
   when the one deletes it and the other waits for its progress;
3. its progress;
4. its deliveries, whose foreign key marks the webhook once more: only who has locked it makes one;
5. the event counter, before the commit;
6. the webhook's job: a turn proves its lease at last, who asks for a delivery again enqueues it. Numbering asks for it
   by `job_request`, and locks nothing.

Whoever needs nothing of a step passes it over, and takes nothing of an earlier one afterwards: a takeover begins with
the progress, who numbers events with the counter. Pruning holds rows of many projects, and skips what is locked.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from partywall.core.db.session import AsyncReadSession
from partywall.core.tenancy import ProjectScope
from partywall.features.webhooks.models import Webhook


async def lock_webhook(session: AsyncReadSession, scope: ProjectScope, webhook_id: UUID) -> Webhook | None:
    """One at a time, people and turns alike, until the transaction ends; None where there is no such webhook."""
    query = (
        select(Webhook)
        .where(Webhook.project_id == scope.project_id, Webhook.id == webhook_id)
        .with_for_update(key_share=True)
    )
    return (await session.scalars(query)).one_or_none()
