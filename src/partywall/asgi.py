from __future__ import annotations

from partywall.core.memory import release_memory
from partywall.core.shared_threads import let_the_loop_in
from partywall.logs import configure_logging
from partywall.main import create_app
from partywall.settings import Settings

settings = Settings()
configure_logging(settings.log)
release_memory()
let_the_loop_in()
app = create_app(settings, own_process=True)
