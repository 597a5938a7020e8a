"""Quotas set by operators. They are published to the database, which enforces them; violations become errors."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from sqlalchemy import event, text
from sqlalchemy.engine import Engine, ExceptionContext

from partywall.core.db.driver_errors import exceeded_quota
from partywall.core.db.session import Sessions

_PUBLISH: Final = text("""
    INSERT INTO quota_default AS known (quota, most) VALUES (:quota, CAST(:most AS numeric))
    ON CONFLICT (quota) DO UPDATE SET most = excluded.most WHERE known.most IS DISTINCT FROM excluded.most
""")


async def publish_quotas(sessions: Sessions, limits: Mapping[str, int | Decimal | None]) -> None:
    """Sets the defaults, which apply unless a project or account has its own limit; None means no limit."""
    async with sessions.begin() as session:
        await session.execute(_PUBLISH, [{"quota": quota, "most": most} for quota, most in sorted(limits.items())])


def raise_exceeded_quotas(engine: Engine) -> None:
    """Makes every statement of the engine raise QuotaExceededError for an exceeded quota."""

    def translate(context: ExceptionContext) -> None:
        found = exceeded_quota(context.original_exception.__cause__)
        if found is not None:
            raise found from context.original_exception

    event.listen(engine, "handle_error", translate)
