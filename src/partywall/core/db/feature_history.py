"""Where the migrations of an installed feature are, and how far they were applied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FeatureHistory:
    """The folder with a feature's revisions, and the table in which the database records the current one."""

    feature: str
    folder: Path

    @property
    def version_table(self) -> str:
        return f"{self.feature}_alembic_version"
