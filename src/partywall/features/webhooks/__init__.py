from __future__ import annotations

from partywall.core.feature import Feature
from partywall.core.jobs.schedules import Schedule
from partywall.features.webhooks import delivery_router, router
from partywall.features.webhooks.dispatching import dispatch_webhooks
from partywall.features.webhooks.retention import prune_deliveries

feature = Feature(
    name="webhooks",
    routers=(router.router, delivery_router.router),
    schedules=(Schedule("prune_webhook_deliveries", "41 * * * *", prune_deliveries),),
    loops={"webhooks": dispatch_webhooks},
    events=(
        "project.webhook_created",
        "project.webhook_updated",
        "project.webhook_deleted",
        "project.webhook_disabled",
    ),
)

__all__ = ["feature"]
