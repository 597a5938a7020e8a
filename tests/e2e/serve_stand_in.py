"""`partywall serve` over the stand-in program; arguments: DATA_DIR PORT MIGRATIONS [--stop-with-parent]."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from partywall.supervisor.options import ServeOptions
from partywall.supervisor.serve import serve

if __name__ == "__main__":
    data_dir, port, migrations, *flags = sys.argv[1:]
    options = ServeOptions(
        data_dir=Path(data_dir),
        port=int(port),
        program=(sys.executable, str(Path(__file__).with_name("stand_in.py"))),
        migrations=Path(migrations),
        postgres_settings={"shared_buffers": "16MB", "max_connections": "20"},
        stop_with_parent="--stop-with-parent" in flags,
        environment={**os.environ, "COVERAGE_PROCESS_CONFIG": ""},  # the stand-ins do not measure coverage
    )
    sys.exit(serve(options))
