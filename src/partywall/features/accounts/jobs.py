from __future__ import annotations

from datetime import datetime
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


class ForgottenPassword(JobPayload):
    """Enqueued by every request for a reset. The job looks up the account, so that response times reveal nothing."""

    address: str


class LockedLogin(JobPayload):
    """Enqueued when wrong passwords lock an address for a network, whether or not it has an account."""

    address: str


class MailAccountToken(JobPayload):
    """The token is derived when the mail is rendered."""

    account_id: UUID
    token_id: UUID


class PasswordChanged(JobPayload):
    account_id: UUID
    changed_at: datetime


CONFIRM_ADDRESS: Final = JobKind("confirm_address", ConfirmAddress, max_attempts=ATTEMPTS)
RESEND_CONFIRMATION: Final = JobKind("resend_confirmation", ResendConfirmation)
FORGOTTEN_PASSWORD: Final = JobKind("forgotten_password", ForgottenPassword)
LOCKED_LOGIN: Final = JobKind("locked_login", LockedLogin)
MAIL_ACCOUNT_TOKEN: Final = JobKind("mail_account_token", MailAccountToken, max_attempts=ATTEMPTS)
PASSWORD_CHANGED: Final = JobKind("password_changed", PasswordChanged, max_attempts=ATTEMPTS)
