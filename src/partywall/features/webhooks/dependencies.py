from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends

from partywall.core.http.dependencies import (
    LockingProjectScopeDep,
    ResourcesDep,
    ScopedReaderDep,
    SessionDep,
)
from partywall.core.outgoing.destinations import RefusedDestinationError
from partywall.core.outgoing.resolver import on_behalf_of
from partywall.core.resources import Resources
from partywall.core.rights import require
from partywall.features.webhooks.constants import PURPOSE
from partywall.features.webhooks.deliveries import DeliveryService
from partywall.features.webhooks.rights import WEBHOOK_MANAGE
from partywall.features.webhooks.schemas import WebhookCreate, WebhookPatch
from partywall.features.webhooks.service import WebhookService


async def get_webhook_service(
    session: SessionDep, scope: LockingProjectScopeDep, resources: ResourcesDep
) -> WebhookService:
    return WebhookService(session, scope, resources.secrets.box(PURPOSE))


async def get_delivery_service(session: SessionDep, scope: LockingProjectScopeDep) -> DeliveryService:
    return DeliveryService(session, scope)


async def validate_new_url(
    project_id: UUID, body: WebhookCreate, reader: ScopedReaderDep, resources: ResourcesDep
) -> str | None:
    """The reason if the URL is refused. Resolves the name before the request opens a transaction."""
    require(await reader.scope(project_id), WEBHOOK_MANAGE)
    with on_behalf_of(await reader.account(project_id)):
        return await _refusal(resources, body.url)


async def validate_changed_url(
    project_id: UUID, body: WebhookPatch, reader: ScopedReaderDep, resources: ResourcesDep
) -> str | None:
    require(await reader.scope(project_id), WEBHOOK_MANAGE)
    if "url" not in body.model_fields_set:
        return None
    with on_behalf_of(await reader.account(project_id)):
        return await _refusal(resources, body.url)


async def _refusal(resources: Resources, url: str) -> str | None:
    try:
        await resources.outgoing.validate(url)
    except RefusedDestinationError as error:
        return str(error)
    return None


NewUrlError = Annotated[str | None, Depends(validate_new_url)]
ChangedUrlError = Annotated[str | None, Depends(validate_changed_url)]
WebhookServiceDep = Annotated[WebhookService, Depends(get_webhook_service, scope="function")]
DeliveryServiceDep = Annotated[DeliveryService, Depends(get_delivery_service, scope="function")]
