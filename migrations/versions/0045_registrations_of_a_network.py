"""no network uses up the registrations that an address can have within an hour"""

from __future__ import annotations

from pathlib import Path

from partywall.core.db.ddl import script

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

_HERE = Path(__file__)


def upgrade() -> None:
    script(_HERE.with_suffix(".sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    script(_HERE.with_name(f"{_HERE.stem}_before.sql").read_text(encoding="utf-8"))
