-- For which account a project counts: its creator's, until that one stops being an active owner and another owner
-- accepts it.

-- The account for which a project counts.
CREATE OR REPLACE FUNCTION wall.owner_account(project uuid) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT p.account_id FROM public.project AS p WHERE p.id = project
$$;

-- All projects that count for the same account as this one.
CREATE OR REPLACE FUNCTION wall.projects_for_account_of(project uuid) RETURNS SETOF uuid
    LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
    SELECT p.id FROM public.project AS p WHERE p.account_id = wall.owner_account(project) AND p.deleted_at IS NULL
$$;

-- Makes a released project count for an owner's account, within its quota. Waits for no lock, because writers already
-- hold the project: an owner who meets a locked row may write, and takes the project over with a later change.
CREATE OR REPLACE FUNCTION wall.take_over_project(project uuid, account uuid) RETURNS void
    LANGUAGE plpgsql
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

-- The calling owner takes over the bound project if it is released. For changes that do not open a shared scope.
CREATE OR REPLACE FUNCTION wall.accept_project() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    IF wall.person_role() = 'owner' AND EXISTS (
        SELECT FROM public.project AS p WHERE p.id = wall.current_project() AND p.released
    ) THEN
        PERFORM wall.take_over_project(wall.current_project(), wall.current_user_id());
    END IF;
END
$$;

-- Notes for which account a project counts. Its first owner is its creator. An account that becomes an owner again gets
-- the project back, unless another has taken it over.
CREATE OR REPLACE FUNCTION wall.note_owner() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
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
CREATE OR REPLACE TRIGGER project_member_founded AFTER INSERT ON project_member
    FOR EACH ROW WHEN (NEW.role = 'owner') EXECUTE FUNCTION wall.note_owner();
CREATE OR REPLACE TRIGGER project_member_given AFTER UPDATE OF role ON project_member
    FOR EACH ROW WHEN (NEW.role = 'owner' AND OLD.role <> 'owner') EXECUTE FUNCTION wall.note_owner();

-- Releases the projects of an account that is disabled, and gives them back when it is enabled and still an owner.
CREATE OR REPLACE FUNCTION wall.release_projects() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    UPDATE public.project AS p SET released = NEW.disabled_at IS NOT NULL OR NOT EXISTS (
        SELECT FROM public.project_member AS m
        WHERE m.project_id = p.id AND m.account_id = NEW.id AND m.role = 'owner'
    ) WHERE p.account_id = NEW.id AND p.deleted_at IS NULL;
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER account_disabled AFTER UPDATE OF disabled_at ON account
    FOR EACH ROW WHEN ((OLD.disabled_at IS NULL) <> (NEW.disabled_at IS NULL)) EXECUTE FUNCTION wall.release_projects();

GRANT EXECUTE ON FUNCTION wall.owner_account, wall.accept_project TO :runtime_role;
