"""Usage and limits of projects and accounts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncReadSession
from partywall.core.rights import require
from partywall.core.tenancy import ProjectScope
from partywall.features.projects.rights import PROJECT_READ
from partywall.features.quotas.repository import AccountUsageRepository, UsageRepository, UsedQuota
from partywall.features.quotas.schemas import AccountUsage, Amount, Bound, Counted, Monthly, ProjectUsage, Spending


async def get_project_usage(session: AsyncReadSession, scope: ProjectScope) -> ProjectUsage:
    """Every member may read it."""
    require(scope, PROJECT_READ)
    usage = await UsageRepository(session, scope).usage()
    resets_at = next_month(utc_now())
    runs, spending = _counted(usage, "runs"), usage["spending"]
    return ProjectUsage(
        documents=_counted(usage, "documents"),
        bytes=_counted(usage, "bytes"),
        passages=_counted(usage, "passages"),
        versions_per_document=Bound(limit=_whole(usage["versions_per_document"].most)),
        keys=_counted(usage, "keys"),
        webhooks=_counted(usage, "webhooks"),
        members=_counted(usage, "members"),
        runs=Monthly(used=runs.used, limit=runs.limit, resets_at=resets_at),
        spending=Spending(
            used=dollars(spending.used or Decimal(0)),
            limit=None if spending.most is None else dollars(spending.most),
            resets_at=resets_at,
        ),
    )


async def get_account_usage(session: AsyncReadSession) -> AccountUsage:
    """Usage of the account that the session is bound to."""
    return AccountUsage(projects=_counted(await AccountUsageRepository(session).usage(), "projects"))


def _counted(usage: Mapping[str, UsedQuota], quota: str) -> Counted:
    return Counted(used=_whole(usage[quota].used) or 0, limit=_whole(usage[quota].most))


def _whole(number: Decimal | None) -> int | None:
    return None if number is None else int(number)


def dollars(amount: Decimal) -> Amount:
    return Amount(amount=f"{amount:.2f}" if amount == round(amount, 2) else f"{amount.normalize():f}")


def next_month(now: datetime) -> datetime:
    year, month = (now.year + 1, 1) if now.month == 12 else (now.year, now.month + 1)
    return datetime(year, month, 1, tzinfo=UTC)
