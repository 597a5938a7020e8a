from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Numeric, TableValuedAlias, Text, column, func, select

from partywall.core.db.session import AsyncReadSession
from partywall.core.tenancy import ProjectScope


class UsedQuota(NamedTuple):
    """`used` is None for a limit per item, such as versions per document. `most` is None for no limit."""

    used: Decimal | None
    most: Decimal | None


_COLUMNS: Final = (column("quota", Text), column("used", Numeric), column("most", Numeric))
_OF_PROJECT: Final[TableValuedAlias] = func.wall.usage().table_valued(*_COLUMNS, name="usage")
_OF_ACCOUNT: Final[TableValuedAlias] = func.wall.usage_of_account().table_valued(*_COLUMNS, name="usage")


@dataclass(frozen=True, slots=True)
class UsageRepository:
    """Usage of the project whose scope is open in the session."""

    session: AsyncReadSession
    scope: ProjectScope

    async def usage(self) -> dict[str, UsedQuota]:
        return await _read(self.session, _OF_PROJECT, func.wall.current_project() == self.scope.project_id)


@dataclass(frozen=True, slots=True)
# lint: allow project-scope - an account's usage, before any project scope exists
class AccountUsageRepository:
    """Usage of the account that the session is bound to."""

    session: AsyncReadSession

    async def usage(self) -> dict[str, UsedQuota]:
        return await _read(self.session, _OF_ACCOUNT)


async def _read(
    session: AsyncReadSession, usage: TableValuedAlias, *where: ColumnElement[bool]
) -> dict[str, UsedQuota]:
    rows = await session.execute(select(usage.c.quota, usage.c.used, usage.c.most).where(*where))
    return {quota: UsedQuota(used, most) for quota, used, most in rows}
