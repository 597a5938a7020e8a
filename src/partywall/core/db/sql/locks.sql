-- Locks between writers of a project and those who end the project or a membership.

-- The advisory lock of a project (with an empty principal), or of one principal in it.
CREATE OR REPLACE FUNCTION wall.lock_key(project uuid, principal text) RETURNS bigint
    LANGUAGE sql IMMUTABLE
RETURN hashtextextended('partywall.writers ' || project::text || ' ' || principal, 0);

-- Locks the project and the caller's membership or key against removal, until the commit, and returns the role; null
-- for no access. Writers do not wait for each other. With `accepting`, an owner takes over a released project.
CREATE OR REPLACE FUNCTION wall.lock_shared(principal text, project uuid, accepting boolean DEFAULT false) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    held text := wall.role_of(principal, project);
    locked boolean;
    free boolean;
BEGIN
    IF held IS NULL THEN
        RETURN NULL;
    END IF;
    locked := pg_advisory_xact_lock_shared(wall.lock_key(project, '')) IS NOT NULL;
    SELECT p.released INTO free FROM public.project AS p WHERE p.id = project AND p.deleted_at IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF principal LIKE 'user:%' THEN
        locked := pg_advisory_xact_lock_shared(wall.lock_key(project, principal)) IS NOT NULL;
        SELECT member.role INTO held FROM public.project_member AS member
        WHERE member.project_id = project AND member.account_id = substr(principal, 6)::uuid FOR SHARE;
        IF free AND accepting AND held = 'owner' THEN
            PERFORM wall.take_over_project(project, substr(principal, 6)::uuid);
        END IF;
    ELSIF principal LIKE 'key:%' THEN
        locked := pg_advisory_xact_lock_shared(wall.lock_key(project, principal)) IS NOT NULL;
        SELECT key.role INTO held FROM public.api_key AS key
        WHERE key.project_id = project AND key.id = substr(principal, 5)::uuid AND key.revoked_at IS NULL FOR SHARE;
    END IF;
    RETURN held;
END
$$;

-- Waits for all writers of a project (with an empty principal), or for those of one principal, and stops new ones.
CREATE OR REPLACE FUNCTION wall.lock_exclusive(project uuid, principal text) RETURNS void
    LANGUAGE sql SET search_path = pg_catalog
AS $$ SELECT pg_advisory_xact_lock(wall.lock_key(project, principal)) $$;

-- Like `open_scope`, for writers: access cannot be removed before the commit (`lock_shared`).
CREATE OR REPLACE FUNCTION wall.open_shared_scope(
    principal text, project uuid, accepting boolean DEFAULT false
) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
DECLARE
    held text;
    bound text;
BEGIN
    bound := set_config('partywall.principal', principal, true);
    bound := set_config('partywall.project', project::text, true);
    held := wall.lock_shared(principal, project, accepting);
    IF held IS NOT NULL THEN
        bound := set_config('partywall.opened', principal || ' ' || project, true);
    END IF;
    RETURN held;
END
$$;

GRANT EXECUTE ON FUNCTION wall.lock_key, wall.lock_shared, wall.lock_exclusive,
    wall.open_shared_scope TO :runtime_role;
