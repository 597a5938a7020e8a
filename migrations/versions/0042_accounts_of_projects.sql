-- A project's usage counts for its stored account: the creator's, until another owner accepts it. `released` means that
-- this account is no longer an active owner, so the next owner who changes something takes the project over.

CREATE OR REPLACE FUNCTION wall.owner_account(project uuid) RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    SELECT p.account_id FROM public.project AS p WHERE p.id = project
$$;

CREATE OR REPLACE FUNCTION wall.projects_for_account_of(project uuid) RETURNS SETOF uuid LANGUAGE sql STABLE
    SET search_path = pg_catalog
AS $$
    SELECT p.id FROM public.project AS p WHERE p.account_id = wall.owner_account(project) AND p.deleted_at IS NULL
$$;

-- Includes the new project, which already counts. The caller has locked the account.
CREATE FUNCTION wall.require_room_for_project(account uuid) RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
    most numeric := wall.quota_of_account(account, 'projects');
BEGIN
    IF most IS NULL THEN
        RETURN;
    END IF;
    PERFORM wall.require_quota('projects', (
        SELECT count(*) FROM public.project AS p WHERE p.account_id = account AND p.deleted_at IS NULL
    ), 1, most, true);
    PERFORM wall.require_quota('projects_being_deleted', (
        SELECT count(*) + 1 FROM public.project AS p WHERE p.deleted_for = account AND p.deleted_at IS NOT NULL
    ), 1, greatest(most, 10), true);
END
$$;

-- Waits for no lock, because writers already hold the project: an owner who meets a locked row may write, and takes the
-- project over with a later change.
CREATE FUNCTION wall.take_over_project(project uuid, account uuid) RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
    former uuid;
    numbers text;
    named text;
BEGIN
    PERFORM FROM public.account AS a WHERE a.id = account AND a.disabled_at IS NULL FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT p.account_id INTO former FROM public.project AS p
    WHERE p.id = project AND p.released AND p.deleted_at IS NULL FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE public.project AS p SET account_id = account, released = false WHERE p.id = project;
    IF former IS DISTINCT FROM account THEN
        PERFORM wall.require_room_for_project(account);
    END IF;
EXCEPTION WHEN check_violation THEN
    GET STACKED DIAGNOSTICS numbers = PG_EXCEPTION_DETAIL, named = CONSTRAINT_NAME;
    RAISE EXCEPTION 'quota exceeded' USING ERRCODE = 'check_violation', CONSTRAINT = named, DETAIL = numbers,
        HINT = 'From this change on the project would count for you.';
END
$$;

-- For changes by an owner that do not open a shared scope.
CREATE FUNCTION wall.accept_project() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    IF wall.person_role() = 'owner' AND EXISTS (
        SELECT FROM public.project AS p WHERE p.id = wall.current_project() AND p.released
    ) THEN
        PERFORM wall.take_over_project(wall.current_project(), wall.current_user_id());
    END IF;
END
$$;

DROP FUNCTION wall.lock_shared(text, uuid);
CREATE FUNCTION wall.lock_shared(principal text, project uuid, accepting boolean DEFAULT false) RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog
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

-- `accepting` is true for a user's own request, false for a worker that acts for a user.
DROP FUNCTION wall.open_shared_scope(text, uuid);
CREATE FUNCTION wall.open_shared_scope(principal text, project uuid, accepting boolean DEFAULT false) RETURNS text
    LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog
AS $$
DECLARE
    held text;
    bound text;
BEGIN
    bound := set_config('partywall.principal', principal, true);
    bound := set_config('partywall.project', project::text, true);
    held := wall.lock_shared(principal, project, accepting);
    IF held IS NOT NULL THEN
        bound := set_config('partywall.entered', principal || ' ' || project, true);
    END IF;
    RETURN held;
END
$$;

-- A project's first owner is its creator. An account that becomes an owner again gets the project back, unless another
-- has taken it over.
CREATE FUNCTION wall.note_owner() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    IF EXISTS (SELECT FROM public.project AS p WHERE p.id = NEW.project_id AND p.account_id IS NULL) THEN
        PERFORM FROM public.account AS a WHERE a.id = NEW.account_id FOR NO KEY UPDATE;
        UPDATE public.project AS p SET account_id = NEW.account_id WHERE p.id = NEW.project_id;
        PERFORM wall.require_room_for_project(NEW.account_id);
    ELSE
        UPDATE public.project AS p SET released = false WHERE p.id = (
            SELECT mine.id FROM public.project AS mine
            WHERE mine.id = NEW.project_id AND mine.account_id = NEW.account_id AND mine.released
            FOR NO KEY UPDATE SKIP LOCKED
        );
    END IF;
    RETURN NULL;
END
$$;
DROP TRIGGER project_member_founded ON project_member;
DROP TRIGGER project_member_given ON project_member;
CREATE TRIGGER project_member_founded AFTER INSERT ON project_member
    FOR EACH ROW WHEN (NEW.role = 'owner') EXECUTE FUNCTION wall.note_owner();
CREATE TRIGGER project_member_given AFTER UPDATE OF role ON project_member
    FOR EACH ROW WHEN (NEW.role = 'owner' AND OLD.role <> 'owner') EXECUTE FUNCTION wall.note_owner();
DROP FUNCTION wall.limit_projects();

CREATE OR REPLACE FUNCTION wall.require_an_owner() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM FROM public.project AS p WHERE p.id = OLD.project_id AND p.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF NOT EXISTS (
        SELECT FROM public.project_member AS m WHERE m.project_id = OLD.project_id AND m.role = 'owner'
    ) THEN
        RAISE EXCEPTION 'a project keeps an owner'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'project_member_owner_check', TABLE = 'project_member';
    END IF;
    UPDATE public.project AS p SET released = true
    WHERE p.id = OLD.project_id AND p.account_id = OLD.account_id AND NOT EXISTS (
        SELECT FROM public.project_member AS m
        WHERE m.project_id = OLD.project_id AND m.account_id = OLD.account_id AND m.role = 'owner'
    );
    RETURN NULL;
END
$$;

CREATE FUNCTION wall.release_projects() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    UPDATE public.project AS p SET released = NEW.disabled_at IS NOT NULL OR NOT EXISTS (
        SELECT FROM public.project_member AS m
        WHERE m.project_id = p.id AND m.account_id = NEW.id AND m.role = 'owner'
    ) WHERE p.account_id = NEW.id AND p.deleted_at IS NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER account_disabled AFTER UPDATE OF disabled_at ON account
    FOR EACH ROW WHEN ((OLD.disabled_at IS NULL) <> (NEW.disabled_at IS NULL))
    EXECUTE FUNCTION wall.release_projects();

CREATE OR REPLACE FUNCTION wall.usage_of_account() RETURNS TABLE (quota text, used numeric, most numeric)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT 'projects', (
        SELECT count(*) FROM public.project AS p
        WHERE p.account_id = wall.current_user_id() AND p.deleted_at IS NULL
    ), wall.quota_of_account(wall.current_user_id(), 'projects')
    WHERE wall.current_user_id() IS NOT NULL
$$;
