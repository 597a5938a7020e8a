from __future__ import annotations

from typing import Final

from partywall.core.feature import Feature, Tag
from partywall.core.jobs.kinds import handles
from partywall.core.jobs.schedules import Schedule
from partywall.core.lazy import lazy
from partywall.features.accounts.jobs import CONFIRM_ADDRESS, RESEND_CONFIRMATION

feature: Final = Feature(
    name="accounts",
    tags=(Tag("accounts", "Registration, tokens, sessions and the caller's own account."),),
    routers=(
        lazy("partywall.features.accounts.auth_router:router"),
        lazy("partywall.features.accounts.auth_router:forms"),
        lazy("partywall.features.accounts.verification_router:router"),
        lazy("partywall.features.accounts.router:router"),
    ),
    root_routers=(lazy("partywall.features.accounts.router:well_known"),),
    public_routes=frozenset(
        {"register_account", "issue_token", "revoke_token", "verify_email", "resend_verification", "get_jwks"}
    ),
    jobs=(
        handles(CONFIRM_ADDRESS, lazy("partywall.features.accounts.verification_mail:confirm_address"), concurrency=2),
        handles(RESEND_CONFIRMATION, lazy("partywall.features.accounts.verification_mail:resend_confirmation")),
    ),
    schedules=(
        Schedule(
            "prune_registrations", "33 3 * * *", lazy("partywall.features.accounts.retention:prune_registrations")
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
