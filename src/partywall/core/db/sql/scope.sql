-- Who calls, which project is bound, and what the caller may do there. The row-level policies of every table ask these
-- functions.

-- The bound principal: `user:<id>`, `key:<id>` or `service:<project>`; null outside of a request's transaction.
CREATE OR REPLACE FUNCTION wall.current_principal() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog
AS $$ SELECT nullif(current_setting('partywall.principal', true), '') $$;

-- The account of the bound principal; null for API keys and services.
CREATE OR REPLACE FUNCTION wall.current_user_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog
AS $$
    SELECT CASE WHEN current_setting('partywall.principal', true) LIKE 'user:%'
        THEN substr(current_setting('partywall.principal', true), 6)::uuid END
$$;

-- The role of a principal in a project; null for anyone who may not enter it. The only answer to the question who may:
-- disabled accounts, revoked or expired keys and deleted projects have no role.
CREATE OR REPLACE FUNCTION wall.role_of(principal text, project uuid) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog
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
        SELECT 'service' INTO found_role FROM public.project AS p WHERE p.id = project AND p.deleted_at IS NULL;
    END IF;
    RETURN found_role;
END
$$;

-- The bound project if the bound principal may enter it, else null. Skips the check when the same transaction has
-- already made it (`partywall.opened`) and its result stays valid until the end.
CREATE OR REPLACE FUNCTION wall.current_project() RETURNS uuid
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog
AS $$
DECLARE
    principal text := nullif(current_setting('partywall.principal', true), '');
    project text := nullif(current_setting('partywall.project', true), '');
BEGIN
    IF current_setting('partywall.opened', true) = principal || ' ' || project THEN
        RETURN project;
    END IF;
    IF principal IS NULL OR project IS NULL OR wall.role_of(principal, project::uuid) IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN project;
END
$$;

-- The role of the bound principal if it is a person, else null: what only people may do asks this.
CREATE OR REPLACE FUNCTION wall.person_role() RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
    SELECT CASE WHEN wall.current_user_id() IS NOT NULL
        THEN wall.role_of(wall.current_principal(), wall.current_project()) END
$$;

-- The projects of the bound principal, with its role in each. For lists, before a project is bound.
CREATE OR REPLACE FUNCTION wall.memberships() RETURNS TABLE (project_id uuid, role text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog
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

-- Binds a principal and a project to the transaction, and returns the role; null for no access. Assigns results instead
-- of using PERFORM, which would start and end an executor for each call; so do the functions below.
CREATE OR REPLACE FUNCTION wall.open_scope(principal text, project uuid) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
DECLARE
    bound text;
BEGIN
    bound := set_config('partywall.principal', principal, true);
    bound := set_config('partywall.project', project::text, true);
    RETURN wall.role_of(principal, project);
END
$$;

-- Like `open_scope`, for a statement that is its own transaction, with one snapshot: the result stays valid until its
-- end.
CREATE OR REPLACE FUNCTION wall.open_scope_statement(principal text, project uuid) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
DECLARE
    found_role text := wall.open_scope(principal, project);
    bound text;
BEGIN
    IF found_role IS NOT NULL THEN
        bound := set_config('partywall.opened', principal || ' ' || project, true);
    END IF;
    RETURN found_role;
END
$$;

GRANT EXECUTE ON FUNCTION wall.current_principal, wall.current_user_id, wall.role_of, wall.current_project,
    wall.person_role, wall.memberships, wall.open_scope, wall.open_scope_statement TO :runtime_role;
