from __future__ import annotations

from partywall.core.jobs.kinds import handles
from partywall.core.jobs.schedules import Schedule
from partywall.core.jobs.work import Work
from partywall.features.accounts.jobs import CONFIRM_ADDRESS, RESEND_CONFIRMATION
from partywall.features.accounts.retention import prune_login_counters, prune_registrations, prune_sessions
from partywall.features.accounts.verification_mail import confirm_address, resend_confirmation

work = Work(
    jobs=(
        handles(CONFIRM_ADDRESS, confirm_address, concurrency=2),
        handles(RESEND_CONFIRMATION, resend_confirmation),
    ),
    schedules=(
        Schedule("prune_registrations", "33 3 * * *", prune_registrations),
        Schedule("prune_sessions", "37 3 * * *", prune_sessions),
        Schedule("prune_login_counters", "*/10 * * * *", prune_login_counters),
    ),
)
