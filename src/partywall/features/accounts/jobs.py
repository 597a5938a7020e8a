from __future__ import annotations

from typing import Final
from uuid import UUID

from partywall.core.jobs.kinds import JobKind, JobPayload
from partywall.core.mail.message import ATTEMPTS


class ConfirmAddress(JobPayload):
    """Enqueued by every registration, also of a known address, and where somebody asks for the mail again.

    The token is derived when the mail is written. There may be no such account or registration: see `wall.register`.
    """

    account_id: UUID
    registration_id: UUID
    registered: bool


CONFIRM_ADDRESS: Final = JobKind("confirm_address", ConfirmAddress, max_attempts=ATTEMPTS)
