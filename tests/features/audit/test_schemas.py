from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

from partywall.core.audit.models import AccountAudit
from partywall.features.audit.schemas import AuditRecord


def test_a_record_shows_all_of_a_row_but_whose_it_is() -> None:
    row = AccountAudit(
        id=uuid4(), account_id=uuid4(), action="login.failed", actor=None, subject=None, data={}, client="192.0.2.0/24",
        request_id="r", created_at=datetime(2026, 11, 30, tzinfo=UTC),
    )  # fmt: skip
    shown = AuditRecord.model_validate(row, from_attributes=True).model_dump(mode="json")
    assert shown.pop("id") == str(row.id)
    assert shown == {
        "action": "login.failed", "actor": None, "subject": None, "data": {}, "client": "192.0.2.0/24",
        "request_id": "r", "created_at": "2026-11-30T00:00:00.000000Z",
    }  # fmt: skip
