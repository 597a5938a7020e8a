"""events are numbered after their transaction's commit"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from partywall.core.db.ddl import grant, runtime_role, script

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_AFTER = Path(__file__).with_name("0028_events_are_numbered_after_the_commit.sql")

_CALLED = """wall.number_events(uuid[], integer), wall.projects_with_pending_events(uuid, integer),
    wall.catch_up_events(uuid, integer)"""
_OWN = "wall.number_locked_events(uuid[], integer)"

# As in 0003.
_BEFORE = """
CREATE OR REPLACE FUNCTION wall.append_events(project uuid, actor text, news jsonb) RETURNS bigint LANGUAGE plpgsql
    VOLATILE
AS $$
DECLARE
    newest bigint;
BEGIN
    UPDATE public.event_counter AS c SET last = c.last + jsonb_array_length(news) WHERE c.project_id = project
    RETURNING c.last INTO newest;
    IF newest IS NOT NULL THEN
        INSERT INTO public.event (project_id, id, type, actor, subject_kind, subject_id, data)
        SELECT project, newest - jsonb_array_length(news) + n.number, n.item->>'type', actor,
            n.item->>'subject_kind', n.item->>'subject_id', n.item->'data'
        FROM jsonb_array_elements(news) WITH ORDINALITY AS n(item, number);
    END IF;
    RETURN newest;
END
$$;
"""
# The policies allow the owner to do it.
_NUMBER_ALL = """
SELECT FROM wall.number_locked_events(ARRAY(SELECT DISTINCT project_id FROM pending_event), 2147483647);
"""


def upgrade() -> None:
    script(_AFTER.read_text(encoding="utf-8"))
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_CALLED}, {_OWN} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_CALLED}")
    # The application adds events only through the functions.
    op.execute(f"REVOKE INSERT ON event FROM {runtime_role()}")
    op.execute(f"REVOKE UPDATE (last) ON event_counter FROM {runtime_role()}")


def downgrade() -> None:
    script(_NUMBER_ALL)
    grant("INSERT", "event")
    grant("UPDATE (last)", "event_counter")
    script(_BEFORE)
    # lint: allow sql-text - a constant list of functions
    op.execute(f"DROP FUNCTION {_CALLED}, {_OWN}")
    script("DROP TABLE pending_event;")
