"""What a package needs to extend Partywall: this module for its `feature.py`, the others for its code.

Only these modules are stable. This one imports no web framework, so that workers need none."""

from __future__ import annotations

from partywall.core.events.types import EventType
from partywall.core.feature import Feature, Tag
from partywall.core.jobs.kinds import JobKind, Limits, handles
from partywall.core.jobs.payloads import JobPayload, ProjectJobPayload
from partywall.core.jobs.schedules import Schedule
from partywall.core.lazy import Lazy, lazy
from partywall.core.rights import Right
from partywall.core.tenancy import Role

__all__ = [
    "EventType",
    "Feature",
    "JobKind",
    "JobPayload",
    "Lazy",
    "Limits",
    "ProjectJobPayload",
    "Right",
    "Role",
    "Schedule",
    "Tag",
    "handles",
    "lazy",
]
