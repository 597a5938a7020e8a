from __future__ import annotations

from partywall.core.feature import Feature
from partywall.features.projects.router import router

feature = Feature(name="projects", routers=(router,), events=("project.created", "project.updated"))
