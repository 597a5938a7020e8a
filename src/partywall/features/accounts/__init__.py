from __future__ import annotations

from partywall.core.feature import Feature
from partywall.core.jobs.kinds import handles
from partywall.core.jobs.schedules import Schedule
from partywall.features.accounts import auth_router, router, verification_router
from partywall.features.accounts.jobs import CONFIRM_ADDRESS
from partywall.features.accounts.retention import prune_registrations
from partywall.features.accounts.verification_mail import confirm_address

feature = Feature(
    name="accounts",
    routers=(auth_router.router, auth_router.forms, verification_router.router, router.router),
    root_routers=(router.well_known,),
    jobs=(handles(CONFIRM_ADDRESS, confirm_address, concurrency=2),),
    schedules=(Schedule("prune_registrations", "33 3 * * *", prune_registrations),),
)

__all__ = ["feature"]
