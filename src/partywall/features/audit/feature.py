from __future__ import annotations

from typing import Final

from partywall.core.feature import Feature, Tag
from partywall.core.jobs.schedules import Schedule
from partywall.core.lazy import lazy
from partywall.features.audit.rights import AUDIT_READ

feature: Final = Feature(
    name="audit",
    tags=(Tag("audit", "Who changed access, and what happened to the caller's account."),),
    routers=(lazy("partywall.features.audit.router:router"),),
    rights=(AUDIT_READ,),
    schedules=(Schedule("prune_audit", "47 3 * * *", lazy("partywall.features.audit.retention:prune_audit")),),
)
