-- Members and invitations.

-- The names and addresses of the bound project's members.
CREATE OR REPLACE FUNCTION wall.members() RETURNS TABLE (account_id uuid, email text, full_name text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT account.id, account.email, account.full_name
    FROM public.project_member AS member JOIN public.account ON account.id = member.account_id
    WHERE member.project_id = (SELECT wall.current_project())
$$;

-- Refuses the change that would leave a project without an owner.
CREATE OR REPLACE FUNCTION wall.require_an_owner() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
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
CREATE OR REPLACE TRIGGER project_member_owner AFTER DELETE OR UPDATE OF role ON project_member
    FOR EACH ROW WHEN (OLD.role = 'owner') EXECUTE FUNCTION wall.require_an_owner();

-- Checks the quota of members.
CREATE OR REPLACE FUNCTION wall.limit_members() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.require_quota('members', (
        SELECT count(*) FROM public.project_member AS m WHERE m.project_id = NEW.project_id
    ), 1, wall.quota_of(NEW.project_id, 'members'), false);
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER project_member_limit AFTER INSERT ON project_member
    FOR EACH ROW EXECUTE FUNCTION wall.limit_members();

-- Checks the quota of members, in which open invitations count.
CREATE OR REPLACE FUNCTION wall.limit_invitations() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.require_quota('members', (
        (SELECT count(*) FROM public.project_member AS m WHERE m.project_id = NEW.project_id)
        + (SELECT count(*) FROM public.invitation AS i WHERE i.project_id = NEW.project_id AND i.expires_at > now())
    ), 1, wall.quota_of(NEW.project_id, 'members'), true);
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER invitation_limit AFTER INSERT ON invitation
    FOR EACH ROW EXECUTE FUNCTION wall.limit_invitations();

-- Makes the calling account a member if the invitation is for its confirmed address and whoever sent it may still
-- invite; returns the project. Locks the project before the invitation, as deleting a project does.
CREATE OR REPLACE FUNCTION wall.accept_invitation(presented bytea) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    accepting uuid := wall.current_user_id();
    entered uuid;
    granted text;
BEGIN
    PERFORM FROM public.project AS p
    WHERE p.id = (SELECT i.project_id FROM public.invitation AS i WHERE i.token_hash = presented) FOR KEY SHARE;
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

-- Deletes expired invitations, at most `most`. Skips locked rows until the next call, so that it waits for no project.
CREATE OR REPLACE FUNCTION wall.prune_invitations(most integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    WITH removed AS (
        DELETE FROM public.invitation AS i USING (
            SELECT o.project_id, o.id FROM public.invitation AS o WHERE o.expires_at <= now()
            LIMIT most FOR UPDATE SKIP LOCKED
        ) AS old WHERE i.project_id = old.project_id AND i.id = old.id RETURNING 1
    )
    SELECT count(*) FROM removed
$$;

GRANT EXECUTE ON FUNCTION wall.members, wall.accept_invitation, wall.prune_invitations TO :runtime_role;
