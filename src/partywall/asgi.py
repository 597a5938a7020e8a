from __future__ import annotations

from partywall.core.memory import give_back_memory
from partywall.logs import configure_logging
from partywall.main import create_app
from partywall.settings import Settings

settings = Settings()
configure_logging(settings.log)
give_back_memory()
app = create_app(settings, own_process=True)
