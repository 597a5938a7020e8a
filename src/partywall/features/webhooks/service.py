from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pydantic import JsonValue

from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.errors import InvalidInputError
from partywall.core.events.log import EventDraft, publish
from partywall.core.field_errors import FieldCode
from partywall.core.jobs.queue import dequeue
from partywall.core.page_request import PageRequest
from partywall.core.pagination import Cursors
from partywall.core.schemas import Page
from partywall.core.security.secrets import SecretBox
from partywall.core.tenancy import ProjectScope
from partywall.features.projects.members import lock_membership
from partywall.features.projects.rights import Right, require
from partywall.features.webhooks.constants import OVERLAP
from partywall.features.webhooks.exceptions import WebhookNotFoundError
from partywall.features.webhooks.jobs import DELIVER_WEBHOOK
from partywall.features.webhooks.models import Webhook as WebhookModel
from partywall.features.webhooks.repository import KEYSET, WebhookOptions, WebhookRepository, WebhookRow, WebhookWriter
from partywall.features.webhooks.schemas import SecretWebhook, Webhook, WebhookCreate, WebhookPatch, WebhookQuery
from partywall.features.webhooks.signature import new_secret


@dataclass(frozen=True, slots=True)
class Versioned[W: Webhook]:
    """A webhook with its revision and state, which make up its entity tag."""

    webhook: W
    revision: int

    @property
    def state(self) -> str:
        return self.webhook.disabled_reason or "0"


def _present(row: WebhookRow) -> Webhook:
    webhook, disabled_reason = row
    return Webhook.model_validate(
        {
            "id": webhook.id, "url": webhook.url, "types": webhook.types, "description": webhook.description,
            "enabled": webhook.enabled and disabled_reason is None, "disabled_reason": disabled_reason,
            "created_at": webhook.created_at, "updated_at": webhook.updated_at,
        }
    )  # fmt: skip


async def list_webhooks(
    session: AsyncReadSession, scope: ProjectScope, query: WebhookQuery, cursors: Cursors
) -> Page[Webhook]:
    require(scope, Right.WEBHOOK_MANAGE)
    wanted = PageRequest(query, cursors, KEYSET, ("webhooks", scope.project_id))
    webhooks = WebhookRepository(session, scope)
    return await wanted.page(webhooks.page, webhooks.count, _present, lambda webhook: (webhook.created_at, webhook.id))


async def get_webhook(session: AsyncReadSession, scope: ProjectScope, webhook_id: UUID) -> Versioned[Webhook]:
    require(scope, Right.WEBHOOK_MANAGE)
    row = await WebhookRepository(session, scope).get(webhook_id)
    if row is None:
        raise WebhookNotFoundError
    return Versioned(_present(row), row[0].revision)


@dataclass(frozen=True, slots=True)
class WebhookService:
    """Creates and changes a project's webhooks. `url_error` is the reason why a given URL is refused, or None.

    Every change locks the project and re-checks the membership: a webhook outlives its creator's session.
    """

    session: AsyncSession
    scope: ProjectScope
    box: SecretBox

    async def create(self, wanted: WebhookCreate, url_error: str | None) -> Versioned[SecretWebhook]:
        """The only response with the secret, besides `rotate`."""
        scope = await lock_membership(self.session, self.scope, accepting=True)
        require(scope, Right.WEBHOOK_MANAGE)
        _accept(url_error)
        secret = new_secret()
        sealed = self.box.seal(secret.encode())
        made = await WebhookWriter(self.session, scope).add(wanted.url, wanted.types, wanted.description, sealed)
        self._record_event("project.webhook_created", made)
        return await self._with_secret(made, secret)

    async def revision(self, webhook_id: UUID, url_error: str | None = None) -> int:
        """Locks the webhook for a change. Raises WebhookNotFoundError, or InvalidInputError for a refused URL."""
        scope = await lock_membership(self.session, self.scope)
        require(scope, Right.WEBHOOK_MANAGE)
        row = await WebhookRepository(self.session, scope).lock(webhook_id)
        if row is None:
            raise WebhookNotFoundError
        _accept(url_error)
        return row[0].revision

    async def change(self, webhook_id: UUID, patch: WebhookPatch) -> Versioned[Webhook]:
        """Call `revision` first. A new URL or `enabled` resets the failures; the change's event wakes the webhook."""
        require(self.scope, Right.WEBHOOK_MANAGE)
        given = patch.model_fields_set
        found = await WebhookRepository(self.session, self.scope).get(webhook_id)
        if given and found is not None:
            writer = WebhookWriter(self.session, self.scope)
            await writer.decide(webhook_id, _decided(found[0], patch))
            if "url" in given or "enabled" in given:
                await writer.start_afresh(webhook_id, enabled="enabled" in given)
            self.session.expire_all()
            self._record_event("project.webhook_updated", webhook_id, sorted(given))
        return await get_webhook(self.session, self.scope, webhook_id)

    async def rotate(self, webhook_id: UUID) -> Versioned[SecretWebhook]:
        """Makes a new secret. The current one also signs until OVERLAP has passed; an older one no longer does."""
        await self.revision(webhook_id)
        secret = new_secret()
        sealed = self.box.seal(secret.encode())
        await WebhookWriter(self.session, self.scope).rotate(webhook_id, sealed, utc_now() + OVERLAP)
        self.session.expire_all()
        self._record_event("project.webhook_updated", webhook_id, ["secret"])
        return await self._with_secret(webhook_id, secret)

    async def delete(self, webhook_id: UUID) -> None:
        """Call `revision` first. A running attempt is completed, but its outcome is not stored."""
        require(self.scope, Right.WEBHOOK_MANAGE)
        await WebhookWriter(self.session, self.scope).remove(webhook_id)
        await dequeue(self.session, DELIVER_WEBHOOK, webhook_id)
        self._record_event("project.webhook_deleted", webhook_id)

    async def _with_secret(self, webhook_id: UUID, secret: str) -> Versioned[SecretWebhook]:
        shown = await get_webhook(self.session, self.scope, webhook_id)
        return Versioned(SecretWebhook(**shown.webhook.model_dump(), secret=secret), shown.revision)

    def _record_event(self, type_: str, webhook_id: UUID, fields: Sequence[str] | None = None) -> None:
        data: dict[str, JsonValue] = {} if fields is None else {"fields": [*fields]}
        event_drafts = EventDraft(type_, "webhook", str(webhook_id), data)
        publish(self.session, self.scope, event_drafts)


def _decided(row: WebhookModel, patch: WebhookPatch) -> WebhookOptions:
    given = patch.model_fields_set
    return WebhookOptions(
        url=patch.url if "url" in given else row.url,
        types=patch.types if "types" in given else row.types,
        description=patch.description if "description" in given else row.description,
        enabled=patch.enabled if "enabled" in given else row.enabled,
    )


def _accept(url_error: str | None) -> None:
    if url_error is not None:
        raise InvalidInputError("/url", FieldCode.ADDRESS_REFUSED, url_error)
