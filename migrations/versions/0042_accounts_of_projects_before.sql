-- As before: a project counts for the owner who has been a member longest.

CREATE OR REPLACE FUNCTION wall.owner_account(project uuid) RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    SELECT owner.account_id FROM public.project_member AS owner
    WHERE owner.project_id = project AND owner.role = 'owner' ORDER BY owner.joined_at, owner.account_id LIMIT 1
$$;

CREATE OR REPLACE FUNCTION wall.projects_for_account_of(project uuid) RETURNS SETOF uuid LANGUAGE sql STABLE
    SET search_path = pg_catalog
AS $$
    SELECT owner.project_id FROM public.project_member AS owner
    WHERE owner.account_id = wall.owner_account(project) AND owner.role = 'owner'
        AND wall.owner_account(owner.project_id) = owner.account_id
$$;

DROP TRIGGER account_disabled ON account;
DROP FUNCTION wall.release_projects();
DROP FUNCTION wall.accept_project();

DROP FUNCTION wall.lock_shared(text, uuid, boolean);
CREATE FUNCTION wall.lock_shared(principal text, project uuid) RETURNS text LANGUAGE plpgsql VOLATILE
    SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    held text := wall.role_of(principal, project);
    locked boolean;
BEGIN
    IF held IS NULL THEN
        RETURN NULL;
    END IF;
    locked := pg_advisory_xact_lock_shared(wall.lock_key(project, '')) IS NOT NULL;
    PERFORM FROM public.project AS p WHERE p.id = project AND p.deleted_at IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF principal LIKE 'user:%' THEN
        locked := pg_advisory_xact_lock_shared(wall.lock_key(project, principal)) IS NOT NULL;
        SELECT member.role INTO held FROM public.project_member AS member
        WHERE member.project_id = project AND member.account_id = substr(principal, 6)::uuid FOR SHARE;
    ELSIF principal LIKE 'key:%' THEN
        locked := pg_advisory_xact_lock_shared(wall.lock_key(project, principal)) IS NOT NULL;
        SELECT key.role INTO held FROM public.api_key AS key
        WHERE key.project_id = project AND key.id = substr(principal, 5)::uuid AND key.revoked_at IS NULL FOR SHARE;
    END IF;
    RETURN held;
END
$$;

DROP FUNCTION wall.open_shared_scope(text, uuid, boolean);
CREATE FUNCTION wall.open_shared_scope(principal text, project uuid) RETURNS text LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog
AS $$
DECLARE
    held text;
    bound text;
BEGIN
    bound := set_config('partywall.principal', principal, true);
    bound := set_config('partywall.project', project::text, true);
    held := wall.lock_shared(principal, project);
    IF held IS NOT NULL THEN
        bound := set_config('partywall.entered', principal || ' ' || project, true);
    END IF;
    RETURN held;
END
$$;

CREATE FUNCTION wall.limit_projects() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
DECLARE
    most numeric := wall.quota_of_account(NEW.account_id, 'projects');
BEGIN
    IF most IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM FROM public.account AS a WHERE a.id = NEW.account_id FOR NO KEY UPDATE;
    PERFORM wall.require_quota('projects', (
        SELECT count(*) FROM public.project_member AS m WHERE m.account_id = NEW.account_id AND m.role = 'owner'
    ), 1, most, NEW.account_id IS NOT DISTINCT FROM wall.current_user_id());
    PERFORM wall.require_quota('projects_being_deleted', (
        SELECT count(*) + 1 FROM public.project AS p WHERE p.deleted_for = NEW.account_id AND p.deleted_at IS NOT NULL
    ), 1, greatest(most, 10), NEW.account_id IS NOT DISTINCT FROM wall.current_user_id());
    RETURN NULL;
END
$$;
DROP TRIGGER project_member_founded ON project_member;
DROP TRIGGER project_member_given ON project_member;
CREATE TRIGGER project_member_founded AFTER INSERT ON project_member
    FOR EACH ROW WHEN (NEW.role = 'owner') EXECUTE FUNCTION wall.limit_projects();
CREATE TRIGGER project_member_given AFTER UPDATE OF role ON project_member
    FOR EACH ROW WHEN (NEW.role = 'owner' AND OLD.role <> 'owner') EXECUTE FUNCTION wall.limit_projects();
DROP FUNCTION wall.note_owner(), wall.take_over_project(uuid, uuid), wall.require_room_for_project(uuid);

CREATE OR REPLACE FUNCTION wall.require_an_owner() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM FROM public.project AS p WHERE p.id = OLD.project_id AND p.deleted_at IS NULL FOR NO KEY UPDATE;
    IF FOUND AND NOT EXISTS (
        SELECT FROM public.project_member AS m WHERE m.project_id = OLD.project_id AND m.role = 'owner'
    ) THEN
        RAISE EXCEPTION 'a project keeps an owner'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'project_member_owner_check', TABLE = 'project_member';
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION wall.usage_of_account() RETURNS TABLE (quota text, used numeric, most numeric)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT 'projects', (
        SELECT count(*) FROM public.project_member AS m
        WHERE m.account_id = wall.current_user_id() AND m.role = 'owner'
    ), wall.quota_of_account(wall.current_user_id(), 'projects')
    WHERE wall.current_user_id() IS NOT NULL
$$;
