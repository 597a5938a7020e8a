from __future__ import annotations

from partywall.core.memory import release_memory
from partywall.core.shared_threads import shorten_switch_interval
from partywall.logs import configure_logging
from partywall.main import create_app
from partywall.settings import Settings

settings = Settings()
configure_logging(settings.log)
release_memory()
shorten_switch_interval()
app = create_app(settings, own_process=True)
