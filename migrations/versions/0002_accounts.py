"""sessions, refresh tokens, counters of login failures, and the SECURITY DEFINER functions for logins"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, runtime_role, script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE session (
    id uuid DEFAULT uuidv7() NOT NULL CONSTRAINT session_pkey PRIMARY KEY,
    account_id uuid NOT NULL CONSTRAINT session_account_id_fkey REFERENCES account (id) ON DELETE CASCADE,
    user_agent text,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    last_used_at timestamptz DEFAULT now() NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT session_account_id_id_key UNIQUE (account_id, id)
);

CREATE TABLE refresh_token (
    token_hash bytea NOT NULL CONSTRAINT refresh_token_pkey PRIMARY KEY,
    account_id uuid NOT NULL,
    session_id uuid NOT NULL,
    used_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT refresh_token_account_id_session_id_fkey FOREIGN KEY (account_id, session_id)
        REFERENCES session (account_id, id) ON DELETE CASCADE
);
CREATE INDEX refresh_token_account_id_session_id_idx ON refresh_token (account_id, session_id);

CREATE TABLE login_failure (
    address_hash bytea NOT NULL CONSTRAINT login_failure_pkey PRIMARY KEY,
    failures integer NOT NULL,
    failed_at timestamptz NOT NULL,
    locked_until timestamptz
);
CREATE INDEX login_failure_failed_at_idx ON login_failure (failed_at);
"""

_POLICIES = """
ALTER TABLE session ENABLE ROW LEVEL SECURITY;
ALTER TABLE session FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON session USING (account_id = (SELECT wall.current_user_id()));
CREATE POLICY directory ON session TO CURRENT_USER USING (true);

ALTER TABLE refresh_token ENABLE ROW LEVEL SECURITY;
ALTER TABLE refresh_token FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON refresh_token USING (account_id = (SELECT wall.current_user_id()));
CREATE POLICY directory ON refresh_token TO CURRENT_USER USING (true);
"""

# Queries before authentication. A conflict in a registration also writes, so that a known address takes as long as a
# new one; a session without a row was never revoked, because revoked sessions outlive their tokens.
_FUNCTIONS = """
CREATE FUNCTION wall.credential_of(address text)
    RETURNS TABLE (account_id uuid, password_hash text, verified boolean, disabled boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT account.id, account.password_hash, account.email_verified_at IS NOT NULL, account.disabled_at IS NOT NULL
    FROM public.account WHERE account.email = address
$$;

CREATE FUNCTION wall.register_account(address text, password_hash text, full_name text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    INSERT INTO public.account AS known (email, password_hash, full_name)
    VALUES (address, register_account.password_hash, register_account.full_name)
    ON CONFLICT (email) DO UPDATE SET revision = known.revision
$$;

CREATE FUNCTION wall.owner_of_refresh_token(presented bytea) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$ SELECT account_id FROM public.refresh_token WHERE token_hash = presented $$;

CREATE FUNCTION wall.is_not_revoked(account uuid, session uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT EXISTS (SELECT FROM public.account AS a WHERE a.id = account AND a.disabled_at IS NULL)
        AND NOT EXISTS (
            SELECT FROM public.session AS s
            WHERE s.id = session AND (s.revoked_at IS NOT NULL OR s.account_id <> account)
        )
$$;
"""

_DROP = """
DROP FUNCTION wall.is_not_revoked, wall.owner_of_refresh_token, wall.register_account, wall.credential_of;
DROP TABLE login_failure, refresh_token, session;
"""


def upgrade() -> None:
    script(_TABLES)
    script(_POLICIES)
    script(_FUNCTIONS)
    op.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA wall FROM PUBLIC")
    grant("EXECUTE", "ALL FUNCTIONS IN SCHEMA wall")
    grant("UPDATE (password_hash)", "account")
    grant("SELECT, INSERT, DELETE, UPDATE (expires_at, last_used_at, revoked_at)", "session")
    grant("SELECT, INSERT, DELETE, UPDATE (used_at)", "refresh_token")
    grant("SELECT, INSERT, UPDATE, DELETE", "login_failure")


def downgrade() -> None:
    op.execute(f"REVOKE UPDATE (password_hash) ON account FROM {runtime_role()}")
    script(_DROP)
