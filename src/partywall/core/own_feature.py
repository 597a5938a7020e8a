"""What the core itself contributes, declared like any feature."""

from __future__ import annotations

from typing import Final

from partywall.core.feature import Feature, Tag
from partywall.core.jobs.schedules import Schedule
from partywall.core.lazy import lazy

CORE: Final = Feature(
    name="core",
    tags=(Tag("operation", "Health of the process."),),
    root_routers=(lazy("partywall.core.http.health:router"),),
    public_routes=frozenset({"healthz", "readyz"}),
    schedules=(Schedule("prune_answers", "*/10 * * * * 10", lazy("partywall.core.retention:prune_answers")),),
    models=lazy("partywall.core.models"),
)
