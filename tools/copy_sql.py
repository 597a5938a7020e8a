"""`copy_sql.py REVISION [FILE ...]` keeps the text of SQL files, by default of all, for the migration of a revision."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "partywall"


def main(revision: str, *files: str) -> None:
    for file in files or [str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("sql/*.sql")]:
        copy = ROOT / "migrations" / "sql" / revision / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PACKAGE / file, copy)


if __name__ == "__main__":
    main(*sys.argv[1:])
