"""invitations, API keys, and who may change access to a project"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, runtime_role, script

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = """
ALTER TABLE project_member ADD COLUMN revision integer DEFAULT 1 NOT NULL;

CREATE TABLE invitation (
    project_id uuid NOT NULL CONSTRAINT invitation_project_id_fkey REFERENCES project (id) ON DELETE CASCADE,
    id uuid DEFAULT uuidv7() NOT NULL,
    email text NOT NULL,
    role text NOT NULL CONSTRAINT invitation_role_check CHECK (role IN ('owner', 'admin', 'editor', 'viewer')),
    token_hash bytea NOT NULL CONSTRAINT invitation_token_hash_key UNIQUE,
    invited_by text NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT invitation_pkey PRIMARY KEY (project_id, id),
    CONSTRAINT invitation_project_id_email_key UNIQUE (project_id, email)
);
CREATE INDEX invitation_email_idx ON invitation (email);

CREATE TABLE api_key (
    project_id uuid NOT NULL CONSTRAINT api_key_project_id_fkey REFERENCES project (id) ON DELETE CASCADE,
    id uuid DEFAULT uuidv7() NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL CONSTRAINT api_key_prefix_key UNIQUE,
    secret_hash bytea NOT NULL,
    role text NOT NULL CONSTRAINT api_key_role_check CHECK (role IN ('admin', 'editor', 'viewer')),
    created_by text NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT api_key_pkey PRIMARY KEY (project_id, id)
);
"""

_ROLE_OF_KEYS = """
CREATE OR REPLACE FUNCTION wall.role_of(principal text, project uuid) RETURNS text LANGUAGE plpgsql STABLE
    SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    found_role text;
BEGIN
    IF principal LIKE 'user:%' THEN
        SELECT member.role INTO found_role
        FROM public.project_member AS member JOIN public.account ON account.id = member.account_id
        WHERE member.project_id = project AND member.account_id = substr(principal, 6)::uuid
            AND account.disabled_at IS NULL;
    ELSIF principal LIKE 'key:%' THEN
        SELECT key.role INTO found_role
        FROM public.api_key AS key
        WHERE key.project_id = project AND key.id = substr(principal, 5)::uuid
            AND key.revoked_at IS NULL AND (key.expires_at IS NULL OR key.expires_at > now());
    ELSIF principal = 'service:' || project::text THEN
        SELECT 'service' INTO found_role FROM public.project AS p WHERE p.id = project;
    END IF;
    RETURN found_role;
END
$$;
"""

_ROLE_OF = """
CREATE OR REPLACE FUNCTION wall.role_of(principal text, project uuid) RETURNS text LANGUAGE plpgsql STABLE
    SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    found_role text;
BEGIN
    IF principal LIKE 'user:%' THEN
        SELECT member.role INTO found_role
        FROM public.project_member AS member JOIN public.account ON account.id = member.account_id
        WHERE member.project_id = project AND member.account_id = substr(principal, 6)::uuid
            AND account.disabled_at IS NULL;
    ELSIF principal = 'service:' || project::text THEN
        SELECT 'service' INTO found_role FROM public.project AS p WHERE p.id = project;
    END IF;
    RETURN found_role;
END
$$;
"""

# Queries before a scope exists, and those that no member's own rights allow.
_FUNCTIONS = """
CREATE FUNCTION wall.memberships() RETURNS TABLE (project_id uuid, role text) LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
DECLARE
    principal text := wall.current_principal();
BEGIN
    IF principal LIKE 'user:%' THEN
        RETURN QUERY SELECT member.project_id, member.role
            FROM public.project_member AS member JOIN public.account ON account.id = member.account_id
            WHERE member.account_id = wall.current_user_id() AND account.disabled_at IS NULL;
    ELSIF principal LIKE 'key:%' THEN
        RETURN QUERY SELECT key.project_id, key.role
            FROM public.api_key AS key
            WHERE key.id = substr(principal, 5)::uuid
                AND key.revoked_at IS NULL AND (key.expires_at IS NULL OR key.expires_at > now());
    END IF;
END
$$;

CREATE FUNCTION wall.person_role() RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
    SELECT CASE WHEN wall.current_user_id() IS NOT NULL
        THEN wall.role_of(wall.current_principal(), wall.current_project()) END
$$;

CREATE FUNCTION wall.members() RETURNS TABLE (account_id uuid, email text, full_name text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT account.id, account.email, account.full_name
    FROM public.project_member AS member JOIN public.account ON account.id = member.account_id
    WHERE member.project_id = (SELECT wall.current_project())
$$;

CREATE FUNCTION wall.accept_invitation(presented bytea) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
DECLARE
    accepting uuid := wall.current_user_id();
    entered uuid;
    granted text;
BEGIN
    DELETE FROM public.invitation AS i USING public.account AS a
    WHERE i.token_hash = presented AND i.expires_at > now()
        AND a.id = accepting AND a.email = i.email AND a.email_verified_at IS NOT NULL AND a.disabled_at IS NULL
        AND wall.role_of(i.invited_by, i.project_id) IN ('owner', CASE WHEN i.role <> 'owner' THEN 'admin' END)
    RETURNING i.project_id, i.role INTO entered, granted;
    IF entered IS NOT NULL THEN
        INSERT INTO public.project_member (project_id, account_id, role) VALUES (entered, accepting, granted);
    END IF;
    RETURN entered;
END
$$;

CREATE FUNCTION wall.key_credential(presented text)
    RETURNS TABLE (project_id uuid, key_id uuid, secret_hash bytea, expires_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT key.project_id, key.id, key.secret_hash, key.expires_at FROM public.api_key AS key
    WHERE key.prefix = presented AND key.revoked_at IS NULL AND (key.expires_at IS NULL OR key.expires_at > now())
$$;

CREATE FUNCTION wall.key_used(project uuid, key uuid) RETURNS void LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    UPDATE public.api_key SET last_used_at = now()
    WHERE project_id = project AND id = key AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
$$;

CREATE FUNCTION wall.require_an_owner() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM FROM public.project AS p WHERE p.id = OLD.project_id FOR NO KEY UPDATE;
    IF FOUND AND NOT EXISTS (
        SELECT FROM public.project_member AS m WHERE m.project_id = OLD.project_id AND m.role = 'owner'
    ) THEN
        RAISE EXCEPTION 'a project keeps an owner'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'project_member_owner_check', TABLE = 'project_member';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER project_member_owner AFTER DELETE OR UPDATE OF role ON project_member
    FOR EACH ROW WHEN (OLD.role = 'owner') EXECUTE FUNCTION wall.require_an_owner();
"""

# A restrictive policy in addition to the wall: within a project, only a user who manages it may do these.
_POLICIES = """
DROP POLICY listed ON project;
CREATE POLICY listed ON project FOR SELECT USING (id IN (SELECT m.project_id FROM wall.memberships() AS m));
DROP FUNCTION wall.projects_of_user();
DROP POLICY own ON project_member;

CREATE POLICY managed ON project_member AS RESTRICTIVE FOR UPDATE TO {runtime} USING (
    (SELECT wall.person_role()) = 'owner' OR ((SELECT wall.person_role()) = 'admin' AND role <> 'owner')
);
CREATE POLICY left_or_removed ON project_member AS RESTRICTIVE FOR DELETE TO {runtime} USING (
    account_id = (SELECT wall.current_user_id())
    OR (SELECT wall.person_role()) = 'owner' OR ((SELECT wall.person_role()) = 'admin' AND role <> 'owner')
);

ALTER TABLE invitation ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitation FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON invitation USING (project_id = (SELECT wall.current_project()));
CREATE POLICY managed ON invitation AS RESTRICTIVE TO {runtime}
    USING ((SELECT wall.person_role()) IN ('owner', 'admin'))
    WITH CHECK (
        (SELECT wall.person_role()) = 'owner' OR ((SELECT wall.person_role()) = 'admin' AND role <> 'owner')
    );
CREATE POLICY directory ON invitation TO CURRENT_USER USING (true);

ALTER TABLE api_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_key FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON api_key USING (project_id = (SELECT wall.current_project()));
CREATE POLICY managed ON api_key AS RESTRICTIVE TO {runtime}
    USING ((SELECT wall.person_role()) IN ('owner', 'admin'));
CREATE POLICY directory ON api_key TO CURRENT_USER USING (true);
"""

_CALLED = """wall.memberships(), wall.person_role(), wall.members(), wall.accept_invitation(bytea),
    wall.key_credential(text), wall.key_used(uuid, uuid)"""

_KEY_COLUMNS = "project_id, id, name, prefix, role, created_by, expires_at, last_used_at, revoked_at, created_at"

_DROP = """
CREATE FUNCTION wall.projects_of_user() RETURNS SETOF uuid LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    SELECT member.project_id
    FROM public.project_member AS member JOIN public.account ON account.id = member.account_id
    WHERE member.account_id = wall.current_user_id() AND account.disabled_at IS NULL
$$;
REVOKE EXECUTE ON FUNCTION wall.projects_of_user() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION wall.projects_of_user() TO {runtime};
REVOKE UPDATE (role, revision), DELETE ON project_member FROM {runtime};
DROP TRIGGER project_member_owner ON project_member;
DROP POLICY left_or_removed ON project_member;
DROP POLICY managed ON project_member;
DROP POLICY listed ON project;
CREATE POLICY listed ON project FOR SELECT USING (id IN (SELECT wall.projects_of_user()));
CREATE POLICY own ON project_member FOR SELECT USING (account_id = (SELECT wall.current_user_id()));
DROP TABLE api_key, invitation;
DROP FUNCTION wall.require_an_owner(), wall.key_used(uuid, uuid), wall.key_credential(text),
    wall.accept_invitation(bytea), wall.members(), wall.person_role(), wall.memberships();
ALTER TABLE project_member DROP COLUMN revision;
"""


def upgrade() -> None:
    script(_TABLES)
    script(_ROLE_OF_KEYS)
    script(_FUNCTIONS)
    script(_POLICIES.format(runtime=runtime_role()))
    # lint: allow sql-text - a constant list of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_CALLED}, wall.require_an_owner() FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_CALLED}")
    grant("UPDATE (role, revision), DELETE", "project_member")
    grant("SELECT, INSERT, DELETE", "invitation")
    grant(f"SELECT ({_KEY_COLUMNS}), INSERT, UPDATE (revoked_at)", "api_key")


def downgrade() -> None:
    script(_ROLE_OF)
    script(_DROP.format(runtime=runtime_role()))
