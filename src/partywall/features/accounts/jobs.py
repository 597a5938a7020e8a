from __future__ import annotations

from typing import Final
from uuid import UUID

from partywall.core.jobs.kinds import JobKind
from partywall.core.jobs.payloads import JobPayload
from partywall.core.mail.message import ATTEMPTS


class ConfirmAddress(JobPayload):
    """Enqueued by every registration, also of a known address, and by every resend.

    The token is derived when the mail is rendered. The account or registration may not exist: see `wall.register`.
    """

    account_id: UUID
    registration_id: UUID
    registered: bool
    own: bool = False  # requested from the network that registered


class ResendConfirmation(JobPayload):
    """Enqueued by every resend request. The job looks up the account, so that response times reveal nothing."""

    address: str
    network: str = ""  # keyed hash of the requesting network and the address, in hexadecimal


CONFIRM_ADDRESS: Final = JobKind("confirm_address", ConfirmAddress, max_attempts=ATTEMPTS)
RESEND_CONFIRMATION: Final = JobKind("resend_confirmation", ResendConfirmation)
