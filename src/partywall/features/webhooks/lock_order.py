"""The lock order of a webhook's rows, which prevents deadlocks.

1. The project: a user's change and a takeover lock it, a delivery session holds a shared lock (`open_shared_scope`),
   and deleting the project waits for both.
2. The webhook, only with `lock_webhook`: two transactions with a weaker, shared lock would deadlock when one deletes
   the webhook while the other waits for its progress.
3. Its progress.
4. Its deliveries. Their foreign key locks the webhook again, so only a transaction that holds 2 inserts one.
5. The event counter, before the commit.
6. The webhook's job: a delivery session checks its lease last, a redelivery enqueues the job. Numbering events requests
   it through `job_request`, without a lock.

A transaction may skip steps, but never goes back: a takeover starts with the progress, numbering with the counter.
Pruning locks rows of many projects and skips locked ones.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from partywall.core.db.session import AsyncSession
from partywall.core.tenancy import LockedScope
from partywall.features.webhooks.models import Webhook


async def lock_webhook(session: AsyncSession, scope: LockedScope, webhook_id: UUID) -> Webhook | None:
    """Locks the webhook until the transaction ends, for users and delivery sessions; None if it does not exist."""
    query = (
        select(Webhook)
        .where(Webhook.project_id == scope.project_id, Webhook.id == webhook_id)
        .with_for_update(key_share=True)
    )
    return (await session.scalars(query)).one_or_none()
