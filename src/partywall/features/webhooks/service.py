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
from partywall.core.preconditions import require_match
from partywall.core.rights import require
from partywall.core.schemas import Page
from partywall.core.security.secrets import SecretBox
from partywall.core.tenancy import ExclusiveScope, ProjectScope, UnlockedScope
from partywall.features.projects.members import lock_membership
from partywall.features.webhooks.constants import OVERLAP
from partywall.features.webhooks.exceptions import WebhookNotFoundError
from partywall.features.webhooks.jobs import DELIVER_WEBHOOK
from partywall.features.webhooks.models import Webhook as WebhookModel
from partywall.features.webhooks.repository import KEYSET, WebhookOptions, WebhookRepository, WebhookRow, WebhookWriter
from partywall.features.webhooks.rights import WEBHOOK_MANAGE
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
    return _shown(*row)


def _shown(webhook: WebhookModel, disabled_reason: str | None) -> Webhook:
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
    require(scope, WEBHOOK_MANAGE)
    wanted = PageRequest(query, cursors, KEYSET, ("webhooks", scope.project_id))
    webhooks = WebhookRepository(session, scope)
    return await wanted.page(webhooks.page, webhooks.count, _present, lambda webhook: (webhook.created_at, webhook.id))


async def get_webhook(session: AsyncReadSession, scope: ProjectScope, webhook_id: UUID) -> Versioned[Webhook]:
    require(scope, WEBHOOK_MANAGE)
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
    scope: UnlockedScope
    box: SecretBox

    async def create(self, wanted: WebhookCreate, url_error: str | None) -> Versioned[SecretWebhook]:
        """The only response with the secret, besides `rotate`."""
        scope = await lock_membership(self.session, self.scope, accepting=True)
        require(scope, WEBHOOK_MANAGE)
        _accept(url_error)
        secret = new_secret()
        sealed = self.box.seal(secret.encode())
        made = await WebhookWriter(self.session, scope).add(wanted.url, wanted.types, wanted.description, sealed)
        _record_event(self.session, scope, "project.webhook_created", made.id)
        return _with_secret(made, None, secret)

    async def update(
        self, webhook_id: UUID, patch: WebhookPatch, if_match: str | None = None, url_error: str | None = None
    ) -> Versioned[Webhook]:
        """A new URL or `enabled` resets the failures; the change's event wakes the webhook.

        Raises WebhookNotFoundError, InvalidInputError for a refused URL, or PreconditionFailedError unless `if_match`
        names the revision.
        """
        scope, (webhook, reason) = await self._lock(webhook_id)
        _accept(url_error)
        require_match(if_match, webhook.revision)
        given = patch.model_fields_set
        if not given:
            return Versioned(_shown(webhook, reason), webhook.revision)
        writer = WebhookWriter(self.session, scope)
        changed = await writer.decide(webhook_id, _decided(webhook, patch))
        if "url" in given or "enabled" in given:
            await writer.start_afresh(webhook_id, enabled="enabled" in given)
        _record_event(self.session, scope, "project.webhook_updated", webhook_id, sorted(given))
        return Versioned(_shown(changed, None if "enabled" in given else reason), changed.revision)

    async def rotate(self, webhook_id: UUID) -> Versioned[SecretWebhook]:
        """Makes a new secret. The current one also signs until OVERLAP has passed; an older one no longer does."""
        scope, (_, reason) = await self._lock(webhook_id)
        secret = new_secret()
        sealed = self.box.seal(secret.encode())
        rotated = await WebhookWriter(self.session, scope).rotate(webhook_id, sealed, utc_now() + OVERLAP)
        _record_event(self.session, scope, "project.webhook_updated", webhook_id, ["secret"])
        return _with_secret(rotated, reason, secret)

    async def delete(self, webhook_id: UUID, if_match: str | None = None) -> None:
        """A running attempt is completed, but its outcome is not stored."""
        scope, (webhook, _) = await self._lock(webhook_id)
        require_match(if_match, webhook.revision)
        await WebhookWriter(self.session, scope).remove(webhook_id)
        await dequeue(self.session, DELIVER_WEBHOOK, webhook_id)
        _record_event(self.session, scope, "project.webhook_deleted", webhook_id)

    async def _lock(self, webhook_id: UUID) -> tuple[ExclusiveScope, WebhookRow]:
        scope = await lock_membership(self.session, self.scope)
        require(scope, WEBHOOK_MANAGE)
        row = await WebhookWriter(self.session, scope).lock(webhook_id)
        if row is None:
            raise WebhookNotFoundError
        return scope, row


def _with_secret(webhook: WebhookModel, disabled_reason: str | None, secret: str) -> Versioned[SecretWebhook]:
    shown = _shown(webhook, disabled_reason).model_dump()
    return Versioned(SecretWebhook(**shown, secret=secret), webhook.revision)


def _record_event(
    session: AsyncSession, scope: ExclusiveScope, type_: str, webhook_id: UUID, fields: Sequence[str] | None = None
) -> None:
    data: dict[str, JsonValue] = {} if fields is None else {"fields": [*fields]}
    publish(session, scope, EventDraft(type_, "webhook", str(webhook_id), data))


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
