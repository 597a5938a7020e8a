from __future__ import annotations

from partywall.core.errors import ConflictError, NotFoundError


class WebhookNotFoundError(NotFoundError):
    code = "webhook_not_found"
    title = "No such webhook"


class DeliveryNotFoundError(NotFoundError):
    code = "delivery_not_found"
    title = "No such delivery"


class WebhookDisabledError(ConflictError):
    code = "webhook_disabled"
    title = "The webhook is disabled"


class EventNotKeptError(ConflictError):
    code = "event_not_kept"
    title = "The event is no longer kept"
