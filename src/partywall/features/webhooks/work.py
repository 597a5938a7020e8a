from __future__ import annotations

from partywall.core.jobs.schedules import Schedule
from partywall.core.jobs.work import Work
from partywall.features.webhooks.dispatching import dispatch_webhooks
from partywall.features.webhooks.retention import prune_deliveries

work = Work(
    schedules=(Schedule("prune_webhook_deliveries", "41 * * * *", prune_deliveries),),
    loops={"webhooks": dispatch_webhooks},
)
