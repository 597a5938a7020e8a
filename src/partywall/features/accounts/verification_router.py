from __future__ import annotations

from fastapi import APIRouter, status

from partywall.core.http.problems import documented
from partywall.features.accounts.dependencies import VerificationServiceDep
from partywall.features.accounts.exceptions import TooManyAttemptsError, TooManyMailsError, VerificationTokenError
from partywall.features.accounts.schemas import Accepted, ConfirmationRequest, EmailVerification

router = APIRouter(prefix="/auth/email", tags=["accounts"])


@router.post(
    "/verify",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Confirm an address",
    description=(
        "Takes the token from the registration mail, which works once and within 24 hours. No login is needed."
    ),
    responses=documented(VerificationTokenError, TooManyAttemptsError),
)
async def verify_email(body: EmailVerification, service: VerificationServiceDep) -> None:
    await service.verify(body.token)


@router.post(
    "/resend",
    status_code=status.HTTP_202_ACCEPTED,
    summary="Send the confirmation again",
    description=(
        "Mails a registered address that is not confirmed. No login is needed. The answer and its timing do not depend"
        " on whether there is such an address."
    ),
    responses=documented(TooManyAttemptsError, TooManyMailsError),
)
async def resend_verification(body: ConfirmationRequest, service: VerificationServiceDep) -> Accepted:
    await service.resend(body.email)
    return Accepted(status="accepted")
