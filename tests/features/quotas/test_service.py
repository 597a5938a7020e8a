from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from partywall.core.db.scopes import open_scope
from partywall.core.resources import Resources
from partywall.features.quotas.service import dollars, get_project_usage, next_month
from tests.features.quotas.conftest import Limited


@pytest.mark.parametrize(
    ("now", "then"),
    [
        (datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2028, 2, 29, 12, tzinfo=UTC), datetime(2028, 3, 1, tzinfo=UTC)),
    ],
)
def test_what_is_counted_by_the_month_begins_anew_with_the_next(now: datetime, then: datetime) -> None:
    assert next_month(now) == then


@pytest.mark.parametrize(
    ("amount", "written"),
    [("0", "0.00"), ("3.2", "3.20"), ("12.500000", "12.50"), ("0.0125", "0.0125"), ("0.000100", "0.0001"),
     ("1000000000", "1000000000.00"), ("0.000001", "0.000001")],
)  # fmt: skip
def test_an_amount_has_cents_and_more_where_it_is_more_exact(amount: str, written: str) -> None:
    assert dollars(Decimal(amount)).amount == written


async def test_every_member_sees_what_is_used_and_what_may_be(resources: Resources, limited: Limited) -> None:
    viewer = await limited.users.person()
    await limited.users.join(limited.project, viewer, "viewer")
    await limited.limit(documents=7, keys=0, spending=None)
    await limited.document("Some text.")
    async with resources.sessions.read() as session:
        scope = await open_scope(session, viewer.principal, limited.project)
        usage = await get_project_usage(session, scope)
    assert (usage.documents.used, usage.documents.limit) == (1, 7)
    assert (usage.keys.used, usage.keys.limit) == (0, 0)
    assert (usage.spending.used.amount, usage.spending.limit) == ("0.00", None)
    assert usage.runs.resets_at == usage.spending.resets_at
