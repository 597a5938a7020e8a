from __future__ import annotations

from typing import Final

from partywall.core.events.types import EventType
from partywall.core.feature import Feature, Tag
from partywall.core.jobs.kinds import handles
from partywall.core.jobs.schedules import Schedule
from partywall.core.lazy import lazy
from partywall.features.webhooks.constants import SHARE
from partywall.features.webhooks.jobs import DELIVER_WEBHOOK
from partywall.features.webhooks.rights import WEBHOOK_MANAGE

feature: Final = Feature(
    name="webhooks",
    tags=(Tag("webhooks", "URLs that receive a project's events, and the deliveries."),),
    routers=(
        lazy("partywall.features.webhooks.router:router"),
        lazy("partywall.features.webhooks.delivery_router:router"),
    ),
    rights=(WEBHOOK_MANAGE,),
    events=(
        EventType("project.webhook_created", "webhook"),
        EventType("project.webhook_updated", "webhook"),
        EventType("project.webhook_deleted", "webhook"),
        EventType("project.webhook_disabled", "webhook"),
    ),
    jobs=(
        handles(
            DELIVER_WEBHOOK,
            lazy("partywall.features.webhooks.delivery_session:deliver_webhook"),
            concurrency=lambda resources: resources.settings.webhooks.concurrency,
            share=SHARE,
        ),
    ),
    schedules=(
        Schedule(
            "prune_webhook_deliveries", "41 * * * *", lazy("partywall.features.webhooks.retention:prune_deliveries")
        ),
    ),
    models=lazy("partywall.features.webhooks.models"),
)
