-- What a project or an account may have.

-- A project's quota: its own, else the default; null for no limit.
CREATE OR REPLACE FUNCTION wall.quota_of(project uuid, named text) RETURNS numeric
    LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
    SELECT found.most FROM (
        SELECT 0 AS place, own.most FROM public.project_quota AS own
        WHERE own.project_id = project AND own.quota = named
        UNION ALL
        SELECT 1, usual.most FROM public.quota_default AS usual WHERE usual.quota = named
    ) AS found ORDER BY found.place LIMIT 1
$$;

-- An account's quota: its own, else the default; null for no limit.
CREATE OR REPLACE FUNCTION wall.quota_of_account(account uuid, named text) RETURNS numeric
    LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
    SELECT found.most FROM (
        SELECT 0 AS place, own.most FROM public.account_quota AS own
        WHERE own.account_id = account AND own.quota = named
        UNION ALL
        SELECT 1, usual.most FROM public.quota_default AS usual WHERE usual.quota = named
    ) AS found ORDER BY found.place LIMIT 1
$$;

-- Refuses an addition beyond a quota. `used` includes the requested `more`. The error contains the numbers only if they
-- belong to the caller (`told`).
CREATE OR REPLACE FUNCTION wall.require_quota(
    named text, used numeric, more numeric, most numeric, told boolean
) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    IF used > most THEN
        RAISE EXCEPTION 'quota exceeded' USING ERRCODE = 'check_violation', CONSTRAINT = 'quota_' || named,
            DETAIL = CASE WHEN told THEN trim_scale(used - more) || ' ' || trim_scale(more) || ' ' || trim_scale(most)
                ELSE '' END;
    END IF;
END
$$;

-- Checks the quota of projects of an account, which the caller has locked. The new project counts already.
CREATE OR REPLACE FUNCTION wall.require_room_for_project(account uuid) RETURNS void
    LANGUAGE plpgsql
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

-- Uses up the spare amounts when a quota changes, so that the next addition looks at the new one.
CREATE OR REPLACE FUNCTION wall.look_again() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    project uuid := (to_jsonb(coalesce(NEW, OLD)) ->> 'project_id')::uuid;
BEGIN
    UPDATE public.project_usage AS u SET spare_documents = 0, spare_bytes = 0
    WHERE (project IS NULL OR u.project_id = project) AND (u.spare_documents > 0 OR u.spare_bytes > 0);
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER project_quota_changed AFTER INSERT OR UPDATE OR DELETE ON project_quota
    FOR EACH ROW EXECUTE FUNCTION wall.look_again();
CREATE OR REPLACE TRIGGER quota_default_changed AFTER INSERT OR UPDATE OR DELETE ON quota_default
    FOR EACH ROW EXECUTE FUNCTION wall.look_again();

GRANT EXECUTE ON FUNCTION wall.quota_of TO :runtime_role;
