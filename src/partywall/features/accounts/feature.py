from __future__ import annotations

from typing import Final

from partywall.core.feature import Feature, Tag
from partywall.core.jobs.kinds import handles
from partywall.core.jobs.schedules import Schedule
from partywall.core.lazy import lazy
from partywall.features.accounts.jobs import (
    CONFIRM_ADDRESS,
    FORGOTTEN_PASSWORD,
    LOCKED_LOGIN,
    MAIL_ACCOUNT_TOKEN,
    PASSWORD_CHANGED,
    RESEND_CONFIRMATION,
)

feature: Final = Feature(
    name="accounts",
    tags=(Tag("accounts", "Registration, tokens, sessions and the caller's own account."),),
    routers=(
        lazy("partywall.features.accounts.auth_router:router"),
        lazy("partywall.features.accounts.auth_router:forms"),
        lazy("partywall.features.accounts.verification_router:router"),
        lazy("partywall.features.accounts.password_router:router"),
        lazy("partywall.features.accounts.router:router"),
    ),
    root_routers=(lazy("partywall.features.accounts.router:well_known"),),
    public_routes=frozenset(
        {
            "register_account",
            "issue_token",
            "revoke_token",
            "verify_email",
            "resend_verification",
            "request_password_reset",
            "reset_password",
            "unlock_account",
            "get_jwks",
        }
    ),
    jobs=(
        handles(CONFIRM_ADDRESS, lazy("partywall.features.accounts.verification_mail:confirm_address"), concurrency=2),
        handles(RESEND_CONFIRMATION, lazy("partywall.features.accounts.verification_mail:resend_confirmation")),
        handles(FORGOTTEN_PASSWORD, lazy("partywall.features.accounts.account_token_mail:forgotten_password")),
        handles(LOCKED_LOGIN, lazy("partywall.features.accounts.account_token_mail:locked_login")),
        handles(
            MAIL_ACCOUNT_TOKEN, lazy("partywall.features.accounts.account_token_mail:mail_account_token"), concurrency=2
        ),
        handles(PASSWORD_CHANGED, lazy("partywall.features.accounts.account_token_mail:mail_password_changed")),
    ),
    schedules=(
        Schedule(
            "prune_registrations", "33 3 * * *", lazy("partywall.features.accounts.retention:prune_registrations")
        ),
        Schedule(
            "prune_account_tokens", "35 * * * *", lazy("partywall.features.accounts.retention:prune_account_tokens")
        ),
        Schedule("prune_sessions", "37 3 * * *", lazy("partywall.features.accounts.retention:prune_sessions")),
        Schedule(
            "prune_login_counters",
            "*/10 * * * * 20",
            lazy("partywall.features.accounts.retention:prune_login_counters"),
        ),
    ),
    models=lazy("partywall.features.accounts.models"),
)
