from __future__ import annotations

from partywall.logs import configure_logging
from partywall.main import create_app
from partywall.settings import Settings

settings = Settings()
configure_logging(settings.log)
app = create_app(settings, own_process=True)
