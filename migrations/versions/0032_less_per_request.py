"""tokens are refreshed in one statement; a writing transaction looks up the membership once"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from partywall.core.db.ddl import grant, runtime_role, script

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_SQL = Path(__file__).with_name("0032_less_per_request.sql")
_FUNCTIONS = "wall.refresh(bytea, bytea, timestamptz, timestamptz, integer), wall.open_scope_statement(text, uuid)"

_FORMER_FUNCTIONS = """
CREATE OR REPLACE FUNCTION wall.open_scope(principal text, project uuid) RETURNS text LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM set_config('partywall.principal', principal, true), set_config('partywall.project', project::text, true);
    RETURN wall.role_of(principal, project);
END
$$;

CREATE OR REPLACE FUNCTION wall.lock_shared(principal text, project uuid) RETURNS text LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    held text := wall.role_of(principal, project);
BEGIN
    IF held IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(wall.lock_key(project, ''));
    PERFORM FROM public.project AS p WHERE p.id = project AND p.deleted_at IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF principal LIKE 'user:%' THEN
        PERFORM pg_advisory_xact_lock_shared(wall.lock_key(project, principal));
        SELECT member.role INTO held FROM public.project_member AS member
        WHERE member.project_id = project AND member.account_id = substr(principal, 6)::uuid FOR SHARE;
    ELSIF principal LIKE 'key:%' THEN
        PERFORM pg_advisory_xact_lock_shared(wall.lock_key(project, principal));
        SELECT key.role INTO held FROM public.api_key AS key
        WHERE key.project_id = project AND key.id = substr(principal, 5)::uuid AND key.revoked_at IS NULL FOR SHARE;
    END IF;
    RETURN held;
END
$$;

CREATE OR REPLACE FUNCTION wall.open_shared_scope(principal text, project uuid) RETURNS text LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM set_config('partywall.principal', principal, true), set_config('partywall.project', project::text, true);
    RETURN wall.lock_shared(principal, project);
END
$$;

CREATE OR REPLACE FUNCTION wall.current_project() RETURNS uuid LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog
AS $$
DECLARE
    principal text := nullif(current_setting('partywall.principal', true), '');
    project uuid := nullif(current_setting('partywall.project', true), '')::uuid;
BEGIN
    IF principal IS NULL OR project IS NULL OR wall.role_of(principal, project) IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN project;
END
$$;
"""

# The index orders a session's tokens by time, so that expired ones are found without reading all of them.
_TABLES = """
ALTER TABLE session ADD COLUMN used_minute integer DEFAULT 0 NOT NULL, ADD COLUMN uses integer DEFAULT 0 NOT NULL,
    ADD COLUMN former_uses integer DEFAULT 0 NOT NULL;
DROP INDEX refresh_token_account_id_session_id_idx;
CREATE INDEX refresh_token_account_id_session_id_created_at_idx ON refresh_token (account_id, session_id, created_at);
"""
_FORMER_TABLES = """
DROP INDEX refresh_token_account_id_session_id_created_at_idx;
CREATE INDEX refresh_token_account_id_session_id_idx ON refresh_token (account_id, session_id);
ALTER TABLE session DROP COLUMN used_minute, DROP COLUMN uses, DROP COLUMN former_uses;
"""


def upgrade() -> None:
    script(_TABLES)
    script(_SQL.read_text(encoding="utf-8"))
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_FUNCTIONS} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_FUNCTIONS}")
    grant("UPDATE (used_minute, uses, former_uses)", "session")


def downgrade() -> None:
    # lint: allow sql-text - a constant list of functions
    op.execute(f"DROP FUNCTION {_FUNCTIONS}")
    # lint: allow sql-text - DDL takes no parameters
    op.execute(f"REVOKE UPDATE (used_minute, uses, former_uses) ON session FROM {runtime_role()}")
    script(_FORMER_FUNCTIONS + _FORMER_TABLES)
