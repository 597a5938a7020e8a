from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response, status

from partywall.core.errors import MissingRightError
from partywall.core.http.dependencies import ReadProjectScopeDep, ReadSessionDep
from partywall.core.http.pagination import CursorsDep
from partywall.core.http.problems import documented
from partywall.core.http.responses import json_response
from partywall.core.schemas import Page
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.webhooks import deliveries
from partywall.features.webhooks.dependencies import DeliveryServiceDep
from partywall.features.webhooks.exceptions import (
    DeliveryNotFoundError,
    EventNotKeptError,
    WebhookDisabledError,
    WebhookNotFoundError,
)
from partywall.features.webhooks.schemas import Delivery, DeliveryQuery

router = APIRouter(prefix="/projects/{project_id}/webhooks/{webhook_id}/deliveries", tags=["webhooks"])


@router.get(
    "",
    summary="List a webhook's deliveries",
    description="Sent and pending deliveries, with the result of the last attempt.",
    responses=documented(ProjectNotFoundError, MissingRightError, WebhookNotFoundError),
)
async def list_deliveries(
    webhook_id: UUID,
    session: ReadSessionDep,
    scope: ReadProjectScopeDep,
    query: Annotated[DeliveryQuery, Query()],
    cursors: CursorsDep,
) -> Page[Delivery]:
    return await deliveries.list_deliveries(session, scope, webhook_id, query, cursors)


@router.post(
    "/{delivery_id}/redeliver",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=Delivery,
    summary="Deliver again",
    description="Immediately, whatever its status, with the same `webhook-id` and the retries of a new delivery.",
    responses=documented(
        ProjectNotFoundError, MissingRightError, WebhookNotFoundError, DeliveryNotFoundError, WebhookDisabledError,
        EventNotKeptError,
    ),
)  # fmt: skip
async def redeliver(webhook_id: UUID, delivery_id: UUID, service: DeliveryServiceDep) -> Response:
    return json_response(await service.redeliver(webhook_id, delivery_id), status.HTTP_202_ACCEPTED)
