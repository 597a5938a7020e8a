from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status

from partywall.core.errors import MissingRightError, PreconditionFailedError, QuotaExceededError
from partywall.core.http.dependencies import ReadProjectScopeDep, ReadSessionDep
from partywall.core.http.idempotency import IdempotencyKeyReusedError, RequestInProgressError
from partywall.core.http.idempotent import idempotent
from partywall.core.http.pagination import CursorsDep
from partywall.core.http.problems import documented
from partywall.core.http.responses import IfMatch, IfNoneMatch, entity_tag, json_response, not_modified, unchanged
from partywall.core.rights import requires
from partywall.core.schemas import Page
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.webhooks import service as webhooks
from partywall.features.webhooks.dependencies import ChangedUrlError, NewUrlError, WebhookServiceDep
from partywall.features.webhooks.exceptions import WebhookNotFoundError
from partywall.features.webhooks.rights import WEBHOOK_MANAGE
from partywall.features.webhooks.schemas import SecretWebhook, Webhook, WebhookCreate, WebhookPatch, WebhookQuery
from partywall.features.webhooks.service import Versioned

router = APIRouter(prefix="/projects/{project_id}/webhooks", tags=["webhooks"])

NO_STORE = {"Cache-Control": "no-store"}
_CHANGE_ERRORS = (ProjectNotFoundError, MissingRightError, WebhookNotFoundError, PreconditionFailedError)


def _tag(shown: Versioned[Webhook] | Versioned[SecretWebhook]) -> dict[str, str]:
    return {"ETag": entity_tag(shown.revision, shown.state)}


def _without_secret(body: bytes) -> bytes:
    return SecretWebhook.model_validate_json(body).model_dump_json(exclude={"secret"}).encode()


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=SecretWebhook,
    summary="Create a webhook",
    description="The project's events are sent to the URL from now on, signed with the secret. Only this response "
    "contains the secret; a replay with the same `Idempotency-Key` does not. The URL must be on the public Internet. "
    "The first event sent is the webhook's own creation.",
    responses=documented(
        ProjectNotFoundError, MissingRightError, QuotaExceededError, IdempotencyKeyReusedError,
        RequestInProgressError,
    ),
)  # fmt: skip
@idempotent(requires(WEBHOOK_MANAGE), keep=_without_secret)
async def create_webhook(
    body: WebhookCreate, url_error: NewUrlError, service: WebhookServiceDep, request: Request
) -> Response:
    made = await service.create(body, url_error)
    location = f"{request.url.path.rstrip('/')}/{made.webhook.id}"
    return json_response(made.webhook, status.HTTP_201_CREATED, {"Location": location, **_tag(made), **NO_STORE})


@router.get(
    "",
    summary="List the project's webhooks",
    description="Includes disabled webhooks.",
    responses=documented(ProjectNotFoundError, MissingRightError),
)
async def list_webhooks(
    session: ReadSessionDep,
    scope: ReadProjectScopeDep,
    query: Annotated[WebhookQuery, Query()],
    cursors: CursorsDep,
) -> Page[Webhook]:
    return await webhooks.list_webhooks(session, scope, query, cursors)


@router.get(
    "/{webhook_id}",
    response_model=Webhook,
    summary="Get a webhook",
    description="Without its secret.",
    responses=documented(ProjectNotFoundError, MissingRightError, WebhookNotFoundError),
)
async def get_webhook(
    webhook_id: UUID, session: ReadSessionDep, scope: ReadProjectScopeDep, if_none_match: IfNoneMatch = None
) -> Response:
    found = await webhooks.get_webhook(session, scope, webhook_id)
    tag = _tag(found)
    return (
        not_modified(tag["ETag"])
        if unchanged(if_none_match, tag["ETag"])
        else json_response(found.webhook, status.HTTP_200_OK, tag)
    )


@router.patch(
    "/{webhook_id}",
    response_model=Webhook,
    summary="Change a webhook",
    description="A JSON merge patch (RFC 7396). A disabled webhook sends nothing. Once enabled again, it sends the "
    "events since then that are still kept.",
    responses=documented(*_CHANGE_ERRORS),
)
async def update_webhook(
    webhook_id: UUID,
    body: WebhookPatch,
    url_error: ChangedUrlError,
    service: WebhookServiceDep,
    if_match: IfMatch = None,
) -> Response:
    changed = await service.update(webhook_id, body, if_match, url_error)
    return json_response(changed.webhook, status.HTTP_200_OK, _tag(changed))


@router.delete(
    "/{webhook_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Delete a webhook",
    description="Also deletes its deliveries, including pending ones.",
    responses=documented(*_CHANGE_ERRORS),
)
async def delete_webhook(webhook_id: UUID, service: WebhookServiceDep, if_match: IfMatch = None) -> None:
    await service.delete(webhook_id, if_match)


@router.post(
    "/{webhook_id}/rotate-secret",
    status_code=status.HTTP_200_OK,
    response_model=SecretWebhook,
    summary="Rotate a webhook's secret",
    description="Returns a new secret, once. Both secrets sign for 24 hours, so that receivers can switch over. Rotate "
    "twice to revoke the old one at once.",
    responses=documented(
        ProjectNotFoundError, MissingRightError, WebhookNotFoundError, IdempotencyKeyReusedError,
        RequestInProgressError,
    ),
)  # fmt: skip
@idempotent(requires(WEBHOOK_MANAGE), keep=_without_secret)
async def rotate_webhook_secret(webhook_id: UUID, service: WebhookServiceDep) -> Response:
    rotated = await service.rotate(webhook_id)
    return json_response(rotated.webhook, status.HTTP_200_OK, {**_tag(rotated), **NO_STORE})
