from __future__ import annotations

from fastapi import APIRouter, status

from partywall.core.http.dependencies import PersonDep
from partywall.core.http.problems import documented
from partywall.features.accounts.dependencies import VerificationServiceDep
from partywall.features.accounts.exceptions import TooManyAttemptsError, TooManyMailsError, VerificationTokenError
from partywall.features.accounts.schemas import EmailVerification

router = APIRouter(prefix="/auth/email", tags=["accounts"])


@router.post(
    "/verify",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Confirm an address",
    description=(
        "Takes the token from the mail that a registration sends, good for one use within a day. It needs no login."
    ),
    responses=documented(VerificationTokenError, TooManyAttemptsError),
)
async def verify_email(body: EmailVerification, service: VerificationServiceDep) -> None:
    await service.verify(body.token)


@router.post(
    "/resend",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Send the confirmation again",
    description="To the caller's own address. Where that is confirmed, the answer is the same and nothing is sent.",
    responses=documented(TooManyMailsError),
)
async def resend_verification(principal: PersonDep, service: VerificationServiceDep) -> None:
    await service.resend(principal.id)
