-- API keys before their project is bound, their quota and their retention.

-- The hash of a key that can be used, by its public prefix.
CREATE OR REPLACE FUNCTION wall.key_credential(presented text)
    RETURNS TABLE (project_id uuid, key_id uuid, secret_hash bytea, expires_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT key.project_id, key.id, key.secret_hash, key.expires_at FROM public.api_key AS key
    WHERE key.prefix = presented AND key.revoked_at IS NULL AND (key.expires_at IS NULL OR key.expires_at > now())
$$;

-- Notes when a key was used, to the minute.
CREATE OR REPLACE FUNCTION wall.key_used(project uuid, key uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    UPDATE public.api_key SET last_used_at = now()
    WHERE project_id = project AND id = key AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
$$;

-- Checks the quota of keys.
CREATE OR REPLACE FUNCTION wall.limit_keys() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    -- Expired and revoked keys are kept to show who had them, but only the last 1000.
    DELETE FROM public.api_key AS k WHERE k.project_id = NEW.project_id AND k.id IN (
        SELECT gone.id FROM public.api_key AS gone
        WHERE gone.project_id = NEW.project_id AND (gone.revoked_at IS NOT NULL OR gone.expires_at <= now())
        ORDER BY gone.created_at DESC OFFSET 1000
    );
    PERFORM wall.require_quota('keys', (
        SELECT count(*) FROM public.api_key AS k
        WHERE k.project_id = NEW.project_id AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
    ), 1, wall.quota_of(NEW.project_id, 'keys'), true);
    RETURN NULL;
END
$$;
CREATE OR REPLACE TRIGGER api_key_limit AFTER INSERT ON api_key FOR EACH ROW EXECUTE FUNCTION wall.limit_keys();

-- Deletes keys that were revoked or expired before `before`, at most `most`. Skips locked rows until the next call.
CREATE OR REPLACE FUNCTION wall.prune_api_keys(before timestamptz, most integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
    WITH removed AS (
        DELETE FROM public.api_key AS k USING (
            SELECT o.project_id, o.id FROM public.api_key AS o
            WHERE o.revoked_at < least(before, now()) OR o.expires_at < least(before, now())
            LIMIT most FOR UPDATE SKIP LOCKED
        ) AS old WHERE k.project_id = old.project_id AND k.id = old.id RETURNING 1
    )
    SELECT count(*) FROM removed
$$;

GRANT EXECUTE ON FUNCTION wall.key_credential, wall.key_used, wall.prune_api_keys TO :runtime_role;
