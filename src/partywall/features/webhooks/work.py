from __future__ import annotations

from partywall.core.jobs.kinds import handles
from partywall.core.jobs.schedules import Schedule
from partywall.core.jobs.work import Work
from partywall.features.webhooks.constants import SHARE
from partywall.features.webhooks.delivery_session import deliver_webhook
from partywall.features.webhooks.jobs import DELIVER_WEBHOOK
from partywall.features.webhooks.retention import prune_deliveries

work = Work(
    jobs=(
        handles(
            DELIVER_WEBHOOK,
            deliver_webhook,
            concurrency=lambda resources: resources.settings.webhooks.concurrency,
            share=SHARE,
        ),
    ),
    schedules=(Schedule("prune_webhook_deliveries", "41 * * * *", prune_deliveries),),
)
