-- Exchanges a refresh token for its successor in one statement. Returns no row for an unknown token; `wait` is how many
-- seconds a session that was used `per_minute` times must wait, in which case nothing changes; otherwise the state of
-- the token. The session's row is locked first, as when a session is ended, so of two requests with the same token one
-- rotates it and the other finds it used.
--
-- Uses are counted over a sliding minute, as a weighted sum of this one and the one before.
CREATE FUNCTION wall.refresh(
    presented bytea, successor bytea, until timestamptz, forgotten timestamptz, per_minute integer
) RETURNS TABLE (
    account_id uuid, session_id uuid, wait integer, rotated boolean, used boolean, successor_waits boolean,
    session_lives boolean
) LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog
AS $$
#variable_conflict use_column
DECLARE
    owner uuid := wall.owner_of_refresh_token(presented);
    minute integer := floor(extract(epoch FROM now()) / 60);
    weight double precision := 1 - (extract(epoch FROM now()) / 60 - minute);
    known record;
    lives boolean;
    bound text;
BEGIN
    bound := set_config('partywall.principal', 'user:' || owner, true);
    SELECT t.session_id, t.used_at IS NULL AS fresh, a.disabled_at IS NULL AS enabled INTO known
    FROM public.refresh_token AS t JOIN public.account AS a ON a.id = t.account_id WHERE t.token_hash = presented;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE public.session AS s SET
        former_uses = CASE s.used_minute WHEN minute THEN s.former_uses WHEN minute - 1 THEN s.uses ELSE 0 END,
        uses = CASE s.used_minute WHEN minute THEN s.uses ELSE 0 END + 1,
        used_minute = minute,
        last_used_at = CASE WHEN known.fresh AND known.enabled AND s.revoked_at IS NULL AND s.expires_at > now()
            THEN now() ELSE s.last_used_at END,
        expires_at = CASE WHEN known.fresh AND known.enabled AND s.revoked_at IS NULL AND s.expires_at > now()
            THEN until ELSE s.expires_at END
    WHERE s.id = known.session_id AND weight
        * CASE s.used_minute WHEN minute THEN s.former_uses WHEN minute - 1 THEN s.uses ELSE 0 END
        + CASE s.used_minute WHEN minute THEN s.uses ELSE 0 END + 1 <= per_minute
    RETURNING old.revoked_at IS NULL AND old.expires_at > now() AND known.enabled INTO lives;
    IF NOT FOUND THEN
        RETURN QUERY SELECT owner, s.id, ceil(60 * CASE
                WHEN s.used_minute = minute AND (s.former_uses = 0 OR s.uses >= per_minute) THEN weight
                WHEN s.used_minute = minute THEN weight - (per_minute - 1 - s.uses)::double precision / s.former_uses
                ELSE weight - (per_minute - 1)::double precision / s.uses
            END)::integer, false, NULL::boolean, NULL::boolean, NULL::boolean
        FROM public.session AS s WHERE s.id = known.session_id;
        RETURN;
    END IF;
    IF lives AND known.fresh THEN
        UPDATE public.refresh_token AS t SET used_at = clock_timestamp()
        WHERE t.token_hash = presented AND t.used_at IS NULL;
        IF FOUND THEN
            INSERT INTO public.refresh_token (token_hash, account_id, session_id)
            VALUES (successor, owner, known.session_id);
            -- Deletes this session's tokens that would have expired by now.
            DELETE FROM public.refresh_token AS t WHERE t.account_id = owner AND t.session_id = known.session_id
                AND t.created_at < forgotten AND t.used_at < forgotten;
            RETURN QUERY SELECT owner, known.session_id::uuid, NULL::integer, true, true, true, true;
            RETURN;
        END IF;
    END IF;
    -- Only the counter is written, so the commit need not wait for the disk.
    bound := set_config('synchronous_commit', 'off', true);
    RETURN QUERY SELECT owner, t.session_id, NULL::integer, false, t.used_at IS NOT NULL,
        EXISTS (SELECT FROM public.refresh_token AS n WHERE n.token_hash = successor AND n.used_at IS NULL), lives
    FROM public.refresh_token AS t WHERE t.token_hash = presented;
END
$$;

-- These functions assign results instead of using PERFORM, which would start and end an executor for each call.
CREATE OR REPLACE FUNCTION wall.open_scope(principal text, project uuid) RETURNS text LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog
AS $$
DECLARE
    bound text;
BEGIN
    bound := set_config('partywall.principal', principal, true);
    bound := set_config('partywall.project', project::text, true);
    RETURN wall.role_of(principal, project);
END
$$;

CREATE OR REPLACE FUNCTION wall.lock_shared(principal text, project uuid) RETURNS text LANGUAGE plpgsql VOLATILE
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

-- A transaction checks access once: the membership is looked up once, and locked until the commit. The proof contains
-- principal and project, so it is not valid for others; it ends with the transaction, or with a rollback to the
-- savepoint before the locks.
CREATE OR REPLACE FUNCTION wall.open_shared_scope(principal text, project uuid) RETURNS text LANGUAGE plpgsql VOLATILE
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

-- For a statement that is its own transaction, with one snapshot: the result stays valid until its end.
CREATE FUNCTION wall.open_scope_statement(principal text, project uuid) RETURNS text LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog
AS $$
DECLARE
    found_role text := wall.open_scope(principal, project);
    bound text;
BEGIN
    IF found_role IS NOT NULL THEN
        bound := set_config('partywall.entered', principal || ' ' || project, true);
    END IF;
    RETURN found_role;
END
$$;

CREATE OR REPLACE FUNCTION wall.current_project() RETURNS uuid LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog
AS $$
DECLARE
    principal text := nullif(current_setting('partywall.principal', true), '');
    project text := nullif(current_setting('partywall.project', true), '');
BEGIN
    IF current_setting('partywall.entered', true) = principal || ' ' || project THEN
        RETURN project;
    END IF;
    IF principal IS NULL OR project IS NULL OR wall.role_of(principal, project::uuid) IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN project;
END
$$;
