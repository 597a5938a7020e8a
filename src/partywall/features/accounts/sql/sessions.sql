-- What a login and a session need to know before the caller is known.

-- The password hash of an address, and whether its account may log in.
CREATE OR REPLACE FUNCTION wall.credential_of(address text)
    RETURNS TABLE (account_id uuid, password_hash text, verified boolean, disabled boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT account.id, account.password_hash, account.email_verified_at IS NOT NULL, account.disabled_at IS NOT NULL
    FROM public.account WHERE account.email = address
$$;

-- Whether an access token's session may still be used. A session without a row was never revoked, because revoked
-- sessions outlive their tokens.
CREATE OR REPLACE FUNCTION wall.is_not_revoked(account uuid, session uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT EXISTS (SELECT FROM public.account AS a WHERE a.id = account AND a.disabled_at IS NULL)
        AND NOT EXISTS (
            SELECT FROM public.session AS s
            WHERE s.id = session AND (s.revoked_at IS NOT NULL OR s.account_id <> account)
        )
$$;

-- The account of a refresh token.
CREATE OR REPLACE FUNCTION wall.owner_of_refresh_token(presented bytea) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$ SELECT account_id FROM public.refresh_token WHERE token_hash = presented $$;

-- Exchanges a refresh token for its successor in one statement. Returns no row for an unknown token; `wait` is how many
-- seconds a session that was used `per_minute` times must wait, in which case nothing changes; otherwise the state of
-- the token. The session's row is locked first, as when a session is ended, so of two requests with the same token one
-- rotates it and the other finds it used.  Uses are counted over a sliding minute, as a weighted sum of this one and
-- the one before.
CREATE OR REPLACE FUNCTION wall.refresh(
    presented bytea, successor bytea, until timestamptz, forgotten timestamptz, per_minute integer
) RETURNS TABLE (
    account_id uuid, session_id uuid, wait integer, rotated boolean, used boolean, successor_waits boolean,
    session_lives boolean
)
    LANGUAGE plpgsql SET search_path = pg_catalog
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

-- Deletes sessions that ended before `before`, at most `most`, with their refresh tokens. Skips locked rows until the
-- next call.
CREATE OR REPLACE FUNCTION wall.prune_sessions(before timestamptz, most integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    WITH removed AS (
        DELETE FROM public.session AS s USING (
            SELECT o.id FROM public.session AS o WHERE o.expires_at < least(before, now())
            LIMIT most FOR UPDATE SKIP LOCKED
        ) AS old WHERE s.id = old.id RETURNING 1
    )
    SELECT count(*) FROM removed
$$;

GRANT EXECUTE ON FUNCTION wall.credential_of, wall.is_not_revoked, wall.owner_of_refresh_token, wall.refresh,
    wall.prune_sessions TO :runtime_role;
