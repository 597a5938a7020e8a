from __future__ import annotations

from typing import Final

from partywall.core.errors import (
    BadRequestError,
    ConflictError,
    ForbiddenError,
    InvalidTokenError,
    NotFoundError,
    TooManyRequestsError,
)

NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class AccountGoneError(InvalidTokenError):
    """The token is valid, but its account has been disabled or erased."""


class AccountNotFoundError(NotFoundError):
    code = "account_not_found"
    title = "No such account"


class AddressTakenError(ConflictError):
    """Only operators see this error; registration never reveals it."""

    code = "address_taken"
    title = "There is an account with this address already"


class SessionNotFoundError(NotFoundError):
    code = "session_not_found"
    title = "No such session"


class RegistrationClosedError(ForbiddenError):
    code = "registration_closed"
    title = "Registration is not open"


class VerificationTokenError(BadRequestError):
    """The same error for every reason, so that it reveals nothing about an account."""

    code = "verification_token_invalid"
    title = "The token is invalid, expired or already used"


class AccountTokenError(BadRequestError):
    """The same error for every reason, so that it reveals nothing about an account."""

    code = "account_token_invalid"
    title = "The token is invalid, expired or already used"


class WrongPasswordError(BadRequestError):
    code = "wrong_password"
    title = "The current password is wrong"


class TooManyMailsError(TooManyRequestsError):
    code = "too_many_mails"
    title = "Too many mails to this address"


class OAuthError(BadRequestError):
    """An RFC 6749 error; its code is also the top-level member `error`."""

    def __init__(self, description: str = "") -> None:
        super().__init__(
            description,
            headers=NO_STORE,
            extensions={"error": self.code, "error_description": description or self.title},
        )


class InvalidRequestError(OAuthError):
    code = "invalid_request"
    title = "A parameter is missing, malformed or given twice"


class UnsupportedGrantTypeError(OAuthError):
    code = "unsupported_grant_type"
    title = "The grant type is neither password nor refresh_token"


class InvalidGrantError(OAuthError):
    """The same error for every reason, so that it reveals none."""

    code = "invalid_grant"
    title = "The credentials are not valid"

    def __init__(self) -> None:
        super().__init__(
            "The credentials are not valid, or the address is not confirmed yet. "
            "POST /api/v1/auth/email/resend sends the confirmation mail again."
        )


class InvalidRefreshTokenError(OAuthError):
    """The same error for every reason, so that it reveals none."""

    code = "invalid_grant"
    title = "The refresh token is not valid"

    def __init__(self) -> None:
        super().__init__("The refresh token is used, expired, revoked or unknown. Log in again.")


class TooManyAttemptsError(TooManyRequestsError):
    code = "too_many_attempts"
    title = "Too many attempts from this network address"

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        self.headers |= NO_STORE
        self.extensions |= {"error": self.code}


class LoginLockedError(TooManyAttemptsError):
    """The same for a known and an unknown address."""

    code = "login_locked"
    title = "Too many failed logins for this address"
