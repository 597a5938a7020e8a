from __future__ import annotations

from fastapi import APIRouter, status

from partywall.core.http.problems import documented
from partywall.features.accounts.dependencies import MailedTokenServiceDep, PasswordChangeServiceDep
from partywall.features.accounts.exceptions import (
    AccountTokenError,
    LoginLockedError,
    TooManyAttemptsError,
    TooManyMailsError,
    WrongPasswordError,
)
from partywall.features.accounts.schemas import Accepted, PasswordChange, PasswordReset, ResetRequest, Unlocking

router = APIRouter(prefix="/auth", tags=["accounts"])


@router.post(
    "/password/forgot",
    status_code=status.HTTP_202_ACCEPTED,
    summary="Ask for a new password",
    description=(
        "Mails a token to an address that has an account. No login is needed. The answer and its timing do not depend"
        " on whether there is such an account."
    ),
    responses=documented(TooManyAttemptsError, TooManyMailsError),
)
async def request_password_reset(body: ResetRequest, service: MailedTokenServiceDep) -> Accepted:
    await service.request_reset(body.email)
    return Accepted(status="accepted")


@router.post(
    "/password/reset",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Set a new password",
    description=(
        "Takes the token from the mail, which works once and within an hour. No login is needed. Every session of the"
        " account ends, its address is confirmed, and its locks are lifted. API keys stay valid."
    ),
    responses=documented(AccountTokenError, TooManyAttemptsError),
)
async def reset_password(body: PasswordReset, service: MailedTokenServiceDep) -> None:
    await service.reset(body.token, body.new_password)


@router.post(
    "/password/change",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Change the caller's password",
    description=(
        "Every session of the account ends, including the caller's: log in again with the new password. API keys stay"
        " valid. A wrong current password counts like a failed login."
    ),
    responses=documented(WrongPasswordError, LoginLockedError, TooManyAttemptsError),
)
async def change_password(body: PasswordChange, service: PasswordChangeServiceDep) -> None:
    await service.change(body.current_password, body.new_password)


@router.post(
    "/unlock",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Lift the locks of an account",
    description=(
        "Takes the token from the mail about wrong passwords, which works once and within 24 hours. No login is needed."
    ),
    responses=documented(AccountTokenError, TooManyAttemptsError),
)
async def unlock_account(body: Unlocking, service: MailedTokenServiceDep) -> None:
    await service.unlock(body.token)
