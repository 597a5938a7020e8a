from __future__ import annotations

from partywall.core.jobs.kinds import handles
from partywall.core.jobs.schedules import Schedule
from partywall.core.jobs.work import Work
from partywall.features.agents.admission import admit_waiting_runs
from partywall.features.agents.jobs import RUN_AGENT
from partywall.features.agents.running import run_agent

work = Work(
    jobs=(handles(RUN_AGENT, run_agent, concurrency=lambda resources: resources.settings.agents.concurrency),),
    schedules=(Schedule("admit_waiting_runs", "* * * * *", admit_waiting_runs),),
)
