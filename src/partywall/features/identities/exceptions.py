from __future__ import annotations

from partywall.core.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError


class ProviderNotFoundError(NotFoundError):
    code = "identity_provider_not_found"
    title = "No such identity provider"


class IdentityNotFoundError(NotFoundError):
    code = "identity_not_found"
    title = "No such identity"


class ReturnAddressError(BadRequestError):
    code = "return_address_not_allowed"
    title = "The login may not return to this address"

    def __init__(self) -> None:
        super().__init__("return_to must be one of IDENTITIES__RETURN_ADDRESSES, exactly.")


class LoginStateError(BadRequestError):
    """The same error for every reason."""

    code = "login_state_invalid"
    title = "The login has expired, was used, or began in another browser"

    def __init__(self) -> None:
        super().__init__("Begin the login again.")


class InvalidCodeError(BadRequestError):
    """The same error for every reason."""

    code = "invalid_grant"
    title = "The code is used, expired or unknown, or the code verifier is not its own"

    def __init__(self) -> None:
        super().__init__("Begin the login again.", extensions={"error": self.code})


class AccountDisabledError(ForbiddenError):
    code = "account_disabled"
    title = "The account is disabled"


class AddressUnverifiedError(ForbiddenError):
    """The same with and without an account of that address: the caller has not proved to own it."""

    code = "address_unverified"
    title = "The identity provider has not verified the e-mail address"

    def __init__(self) -> None:
        super().__init__("Log in to your account in another way, then link the identity to it.")


class AddressUnconfirmedError(ConflictError):
    code = "address_unconfirmed"
    title = "The account's e-mail address is not confirmed"

    def __init__(self) -> None:
        super().__init__("Confirm the address of the account first: POST /api/v1/auth/email/resend sends the mail.")


class IdentityTakenError(ConflictError):
    code = "identity_taken"
    title = "The identity belongs to another account"


class TooManyIdentitiesError(ConflictError):
    code = "too_many_identities"
    title = "The account has too many identities"


class LastLoginError(ConflictError):
    code = "last_way_to_log_in"
    title = "The account could not log in without this identity"

    def __init__(self) -> None:
        super().__init__("Set a password or link another identity first.")
