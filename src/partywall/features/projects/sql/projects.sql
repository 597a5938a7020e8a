-- A project's creation and its end. A deleted project is only marked; a job purges its rows in small steps.

-- Creates a project with the calling account as its owner; null for a disabled account.
CREATE OR REPLACE FUNCTION wall.found_project(name text, description text, language text) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    founder uuid := wall.current_user_id();
    made uuid;
BEGIN
    IF NOT EXISTS (SELECT FROM public.account WHERE id = founder AND disabled_at IS NULL) THEN
        RETURN NULL;
    END IF;
    INSERT INTO public.project (name, description, language) VALUES (name, description, language) RETURNING id INTO made;
    INSERT INTO public.project_member (project_id, account_id, role) VALUES (made, founder, 'owner');
    INSERT INTO public.event_counter (project_id) VALUES (made);
    RETURN made;
END
$$;

-- The default language of the bound project's documents and queries.
CREATE OR REPLACE FUNCTION wall.project_language(project uuid) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$ SELECT p.language FROM public.project AS p WHERE p.id = project $$;

-- Marks the bound project as deleted and removes all access to it. Only an owner can; returns whether it was done.
CREATE OR REPLACE FUNCTION wall.delete_project(target_id uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    IF wall.current_project() IS DISTINCT FROM target_id OR wall.person_role() IS DISTINCT FROM 'owner' THEN
        RETURN false;
    END IF;
    UPDATE public.project AS p SET deleted_at = now(), name = '', description = NULL, language = NULL,
        deleted_for = wall.owner_account(target_id)
    WHERE p.id = target_id AND p.deleted_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM public.webhook_progress AS w WHERE w.project_id = target_id;
    DELETE FROM public.invitation AS i WHERE i.project_id = target_id;
    DELETE FROM public.api_key AS k WHERE k.project_id = target_id;
    DELETE FROM public.project_member AS m WHERE m.project_id = target_id;
    -- An answer outside of the project that created or contains it: the key remains used, and a repetition gets 404.
    UPDATE public.idempotency_key AS i SET status = 404, headers = '{}', body = '', subjects = '{}'
    WHERE i.subjects @> ARRAY[target_id];
    RETURN true;
END
$$;

-- Marked projects to purge, the first deleted first.
CREATE OR REPLACE FUNCTION wall.deleted_projects(most integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$ SELECT p.id FROM public.project AS p WHERE p.deleted_at IS NOT NULL ORDER BY p.deleted_at LIMIT most $$;

-- Deletes some rows of a marked project: from the first table that has any, at most `most` (ten times as many small
-- rows), and up to the given bytes. Returns their number; 0 when none is left, null for a project that is not marked.
-- One call at a time; it locks the event counter before the events, as pruning does.
CREATE OR REPLACE FUNCTION wall.purge_project(target_id uuid, most integer, bytes bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    marked boolean;
    part record;
    removed bigint;
BEGIN
    SELECT p.deleted_at IS NOT NULL INTO marked FROM public.project AS p WHERE p.id = target_id;
    IF marked IS NULL THEN
        RETURN 0;
    ELSIF NOT marked THEN
        RETURN NULL;
    END IF;
    PERFORM FROM public.project AS p WHERE p.id = target_id FOR UPDATE;
    PERFORM FROM public.event_counter AS c WHERE c.project_id = target_id FOR UPDATE;
    FOR part IN SELECT * FROM (VALUES
        ('search_statistic', 1, '0'), ('posting', 10, '0'),
        ('embedding', 1, '0'), ('vector_change', 10, '0'), ('chunk', 1, '0'), ('archive_entry', 1, '0'),
        ('document_value', 10, '0'), ('document_version', 1, '0'), ('document_text', 1, 'size'),
        ('document', 1, 'size'), ('search_index', 1, '0'), ('document_deletion', 1, '0'),
        ('webhook_delivery', 1, '0'), ('webhook', 1, '0'),
        ('run_step', 1, 'coalesce(pg_column_size(result), 0) + coalesce(pg_column_size(effect), 0)'),
        ('run_turn', 1, 'pg_column_size(messages)'),
        ('run', 1, 'pg_column_size(input) + coalesce(pg_column_size(output), 0)'),
        ('project_audit', 1, '0'), ('event', 1, 'pg_column_size(data)'), ('idempotency_key', 1, 'pg_column_size(body)')
    ) AS parts (name, times, weight) LOOP
        EXECUTE format($batch$
            DELETE FROM public.%1$I WHERE ctid = ANY (ARRAY(
                SELECT counted.place FROM (
                    SELECT chosen.place, sum(chosen.weight) OVER (ROWS UNBOUNDED PRECEDING) - chosen.weight AS before
                    FROM (
                        SELECT ctid AS place, %2$s AS weight FROM public.%1$I WHERE project_id = $1 LIMIT $2
                    ) AS chosen
                ) AS counted WHERE counted.before < $3
            ))
        $batch$, part.name, part.weight) USING target_id, most * part.times, bytes;
        GET DIAGNOSTICS removed = ROW_COUNT;
        IF removed > 0 THEN
            RETURN removed;
        END IF;
    END LOOP;
    RETURN 0;
END
$$;

-- Deletes the last row of a marked project; only single rows are left to cascade to.
CREATE OR REPLACE FUNCTION wall.forget_project(target_id uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$ DELETE FROM public.project AS p WHERE p.id = target_id AND p.deleted_at IS NOT NULL $$;

GRANT EXECUTE ON FUNCTION wall.found_project, wall.project_language, wall.delete_project, wall.deleted_projects,
    wall.purge_project, wall.forget_project TO :runtime_role;
