"""The environment variables that PostgreSQL's client library reads; the driver also reads some of them."""

from __future__ import annotations

import os
from typing import Final

LIBPQ_VARIABLES: Final = (
    "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGREQUIREAUTH", "PGCHANNELBINDING",
    "PGPASSFILE", "PGSERVICE", "PGSERVICEFILE", "PGOPTIONS", "PGAPPNAME", "PGSSLMODE", "PGREQUIRESSL",
    "PGSSLNEGOTIATION", "PGSSLCOMPRESSION", "PGSSLCERT", "PGSSLKEY", "PGSSLCERTMODE", "PGSSLROOTCERT", "PGSSLCRL",
    "PGSSLCRLDIR", "PGSSLSNI", "PGREQUIREPEER", "PGSSLMINPROTOCOLVERSION", "PGSSLMAXPROTOCOLVERSION", "PGGSSENCMODE",
    "PGKRBSRVNAME", "PGGSSLIB", "PGGSSDELEGATION", "PGCONNECT_TIMEOUT", "PGCLIENTENCODING", "PGTARGETSESSIONATTRS",
    "PGLOADBALANCEHOSTS", "PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION", "PGDATESTYLE", "PGTZ", "PGGEQO",
    "PGSYSCONFDIR", "PGLOCALEDIR", "PGDATA",
)  # fmt: skip


def without_libpq() -> dict[str, str]:
    """An environment for psql and similar programs in which none of these variables is set."""
    return {name: value for name, value in os.environ.items() if name not in LIBPQ_VARIABLES}
