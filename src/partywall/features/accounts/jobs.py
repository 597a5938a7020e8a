from __future__ import annotations

from typing import Final
from uuid import UUID

from partywall.core.jobs.kinds import JobKind, JobPayload
from partywall.core.mail.message import ATTEMPTS


class ConfirmAddress(JobPayload):
    """Enqueued by every registration, also of a known address, and where the mail is sent again.

    The token is derived when the mail is written. There may be no such account or registration: see `wall.register`.
    """

    account_id: UUID
    registration_id: UUID
    registered: bool
    own: bool = False  # asked for by who has registered


class ResendConfirmation(JobPayload):
    """Enqueued whenever the mail is asked for again. Whether there is such an account the job finds out, so that who
    has asked learns nothing from how long that takes."""

    address: str
    network: str = ""  # the keyed hash of where it was asked for, in hexadecimal digits


CONFIRM_ADDRESS: Final = JobKind("confirm_address", ConfirmAddress, max_attempts=ATTEMPTS)
RESEND_CONFIRMATION: Final = JobKind("resend_confirmation", ResendConfirmation)
