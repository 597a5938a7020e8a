from __future__ import annotations

from partywall.core.feature import Feature
from partywall.features.projects import member_router, router

feature = Feature(
    name="projects",
    routers=(router.router, member_router.router),
    events=("project.created", "project.updated", "member.added", "member.updated", "member.removed"),
)

__all__ = ["feature"]
