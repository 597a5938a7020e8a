"""the data of runs counts towards their project's bytes, and a run can be deleted"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0038"
down_revision = "0035"
branch_labels = None
depends_on = None

_HERE = Path(__file__)
_AFTER, _BEFORE = _HERE.with_suffix(".sql"), _HERE.with_name(f"{_HERE.stem}_before.sql")
# The policies would hide all rows from the owner.
_COUNT = """
ALTER TABLE run_turn NO FORCE ROW LEVEL SECURITY;
ALTER TABLE run_step NO FORCE ROW LEVEL SECURITY;
UPDATE run AS r SET bytes = wall.bytes_of_run(r);
INSERT INTO project_usage (project_id, bytes) SELECT project_id, sum(bytes) FROM run GROUP BY project_id;
ALTER TABLE run_turn FORCE ROW LEVEL SECURITY;
ALTER TABLE run_step FORCE ROW LEVEL SECURITY;
"""
_TRIGGERS = """
CREATE TRIGGER run_weighed_first BEFORE INSERT ON run FOR EACH ROW EXECUTE FUNCTION wall.weigh_run();
CREATE TRIGGER run_weighed BEFORE UPDATE OF status ON run FOR EACH ROW
    WHEN (NEW.status IN ('waiting', 'succeeded', 'failed', 'cancelled')) EXECUTE FUNCTION wall.weigh_run();
CREATE TRIGGER run_grown AFTER UPDATE OF status ON run FOR EACH ROW
    WHEN (NEW.bytes <> OLD.bytes) EXECUTE FUNCTION wall.count_grown_run();
CREATE TRIGGER run_removed AFTER DELETE ON run
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION wall.count_removed_runs();
"""
_CALLED = "wall.delete_run(uuid)"
_OWN = """wall.bytes_of_run(run), wall.weigh_run(), wall.note_usage(uuid, bigint), wall.count_grown_run(),
    wall.count_removed_runs()"""


def upgrade() -> None:
    script("ALTER TABLE run ADD COLUMN bytes bigint DEFAULT 0 NOT NULL;")
    script(_AFTER.read_text(encoding="utf-8"))
    script(_COUNT)
    script(_TRIGGERS)
    # lint: allow sql-text - constant lists of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_CALLED}, {_OWN} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_CALLED}")


def downgrade() -> None:
    script("""
        DROP TRIGGER run_removed ON run;
        DROP TRIGGER run_grown ON run;
        DROP TRIGGER run_weighed ON run;
        DROP TRIGGER run_weighed_first ON run;
        INSERT INTO project_usage (project_id, bytes) SELECT project_id, -sum(bytes) FROM run GROUP BY project_id;
    """)
    script(_BEFORE.read_text(encoding="utf-8"))
    # lint: allow sql-text - constant lists of functions
    op.execute(f"DROP FUNCTION {_CALLED}, {_OWN}")
    script("ALTER TABLE run DROP COLUMN bytes;")
