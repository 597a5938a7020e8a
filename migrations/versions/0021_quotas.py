"""quotas that operators set, their usage, and each text of a document stored once"""

from __future__ import annotations

from alembic import op

from partywall.core.db.ddl import grant, script

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

# `most` is null for no limit. Every starting process writes `quota_default` from the settings; only operators write the
# other two tables.
_TABLES = """
CREATE TABLE quota_default (
    quota text NOT NULL CONSTRAINT quota_default_pkey PRIMARY KEY,
    most numeric(28, 8)
);

CREATE TABLE project_quota (
    project_id uuid NOT NULL CONSTRAINT project_quota_project_id_fkey REFERENCES project (id) ON DELETE CASCADE,
    quota text NOT NULL,
    most numeric(28, 8),
    set_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT project_quota_pkey PRIMARY KEY (project_id, quota)
);

CREATE TABLE account_quota (
    account_id uuid NOT NULL CONSTRAINT account_quota_account_id_fkey REFERENCES account (id) ON DELETE CASCADE,
    quota text NOT NULL,
    most numeric(28, 8),
    set_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT account_quota_pkey PRIMARY KEY (account_id, quota)
);

CREATE TABLE project_usage (
    project_id uuid NOT NULL CONSTRAINT project_usage_project_id_fkey REFERENCES project (id) ON DELETE CASCADE,
    slot bigint GENERATED ALWAYS AS IDENTITY,
    documents bigint DEFAULT 0 NOT NULL,
    bytes bigint DEFAULT 0 NOT NULL,
    spare_documents bigint DEFAULT 0 NOT NULL,
    spare_bytes bigint DEFAULT 0 NOT NULL,
    CONSTRAINT project_usage_pkey PRIMARY KEY (project_id, slot)
) WITH (fillfactor = 50);

CREATE TABLE document_text (
    project_id uuid NOT NULL,
    document_id uuid NOT NULL,
    content_sha256 text NOT NULL,
    size integer NOT NULL,
    content text NOT NULL,
    CONSTRAINT document_text_pkey PRIMARY KEY (project_id, document_id, content_sha256),
    CONSTRAINT document_text_project_id_document_id_fkey
        FOREIGN KEY (project_id, document_id) REFERENCES document (project_id, id) ON DELETE CASCADE
);

ALTER TABLE document ADD COLUMN history_bytes bigint DEFAULT 0 NOT NULL, ADD COLUMN deleted_at timestamptz;
ALTER TABLE agent_usage ADD COLUMN runs bigint DEFAULT 0 NOT NULL;
"""

_POLICIES = """
ALTER TABLE project_quota ENABLE ROW LEVEL SECURITY;
ALTER TABLE project_quota FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON project_quota USING (project_id = (SELECT wall.current_project()));
CREATE POLICY operating ON project_quota TO CURRENT_USER USING (true);

ALTER TABLE account_quota ENABLE ROW LEVEL SECURITY;
ALTER TABLE account_quota FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON account_quota USING (account_id = (SELECT wall.current_user_id()));
CREATE POLICY operating ON account_quota TO CURRENT_USER USING (true);

ALTER TABLE project_usage ENABLE ROW LEVEL SECURITY;
ALTER TABLE project_usage FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON project_usage USING (project_id = (SELECT wall.current_project()));
CREATE POLICY counting ON project_usage TO CURRENT_USER USING (true);

ALTER TABLE document_text ENABLE ROW LEVEL SECURITY;
ALTER TABLE document_text FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON document_text USING (project_id = (SELECT wall.current_project()));

CREATE POLICY counting ON agent_usage TO CURRENT_USER USING (true);
CREATE POLICY counting ON idempotency_key FOR SELECT TO CURRENT_USER USING (true);
"""

_QUOTAS = """
CREATE FUNCTION wall.quota_of(project uuid, named text) RETURNS numeric LANGUAGE sql STABLE
    SET search_path = pg_catalog
AS $$
    SELECT found.most FROM (
        SELECT 0 AS place, own.most FROM public.project_quota AS own
        WHERE own.project_id = project AND own.quota = named
        UNION ALL
        SELECT 1, usual.most FROM public.quota_default AS usual WHERE usual.quota = named
    ) AS found ORDER BY found.place LIMIT 1
$$;

CREATE FUNCTION wall.quota_of_account(account uuid, named text) RETURNS numeric LANGUAGE sql STABLE
    SET search_path = pg_catalog
AS $$
    SELECT found.most FROM (
        SELECT 0 AS place, own.most FROM public.account_quota AS own
        WHERE own.account_id = account AND own.quota = named
        UNION ALL
        SELECT 1, usual.most FROM public.quota_default AS usual WHERE usual.quota = named
    ) AS found ORDER BY found.place LIMIT 1
$$;

-- `used` includes the requested `more`. The error contains the numbers only if they belong to the caller.
CREATE FUNCTION wall.require_quota(named text, used numeric, more numeric, most numeric, told boolean) RETURNS void
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
"""

# A writer takes any unlocked slot of the project, or creates one if there is none: no writer waits, and a project has
# at most as many slots as it had concurrent writers. A slot's spare amount can be used without checking the quota, so
# that not every writer sums up the slots; it is small, and zero near the quota. A project that is being deleted may
# have nothing to count.
_USAGE = """
CREATE FUNCTION wall.add_usage(project uuid, more_documents bigint, more_bytes bigint) RETURNS void LANGUAGE plpgsql
AS $$
DECLARE
    taken record;
BEGIN
    UPDATE public.project_usage AS u SET documents = u.documents + more_documents, bytes = u.bytes + more_bytes,
        spare_documents = u.spare_documents - more_documents, spare_bytes = u.spare_bytes - more_bytes
    WHERE u.project_id = project AND u.slot = (
        SELECT free.slot FROM public.project_usage AS free WHERE free.project_id = project
        LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING u.slot, u.spare_documents, u.spare_bytes INTO taken;
    IF NOT FOUND THEN
        INSERT INTO public.project_usage AS u (project_id, documents, bytes, spare_documents, spare_bytes)
        SELECT p.id, more_documents, more_bytes, -1, -1 FROM public.project AS p WHERE p.id = project
        RETURNING u.slot, u.spare_documents, u.spare_bytes INTO taken;
    END IF;
    IF taken.spare_documents < 0 AND more_documents > 0 OR taken.spare_bytes < 0 AND more_bytes > 0 THEN
        PERFORM wall.require_room(project, taken.slot, more_documents, more_bytes);
    END IF;
END
$$;

CREATE FUNCTION wall.require_room(project uuid, taken bigint, more_documents bigint, more_bytes bigint) RETURNS void
    LANGUAGE plpgsql
AS $$
DECLARE
    stored record;
    most_documents numeric := wall.quota_of(project, 'documents');
    most_bytes numeric := wall.quota_of(project, 'bytes');
BEGIN
    SELECT sum(u.documents) AS documents, sum(u.bytes) AS bytes INTO stored
    FROM public.project_usage AS u WHERE u.project_id = project;
    IF more_documents > 0 THEN
        PERFORM wall.require_quota('documents', stored.documents, more_documents, most_documents, true);
    END IF;
    IF more_bytes > 0 THEN
        PERFORM wall.require_quota('bytes', stored.bytes, more_bytes, most_bytes, true);
    END IF;
    UPDATE public.project_usage AS u SET
        spare_documents = greatest(0, least(50, coalesce(div(most_documents - stored.documents, 1000), 50))),
        spare_bytes = greatest(0, least(4194304, coalesce(div(most_bytes - stored.bytes, 1000), 4194304)))
    WHERE u.project_id = project AND u.slot = taken;
END
$$;

CREATE FUNCTION wall.look_again() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    project uuid := (to_jsonb(coalesce(NEW, OLD)) ->> 'project_id')::uuid;
BEGIN
    UPDATE public.project_usage AS u SET spare_documents = 0, spare_bytes = 0
    WHERE (project IS NULL OR u.project_id = project) AND (u.spare_documents > 0 OR u.spare_bytes > 0);
    RETURN NULL;
END
$$;

-- The bytes of a document that count towards the quota. A document marked as deleted counts towards no quota: its share
-- is free at once, and its purge releases nothing more.
CREATE FUNCTION wall.bytes_of(size integer, original_size bigint, history_bytes bigint, metadata jsonb) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN size + coalesce(original_size, 0) + history_bytes + octet_length(metadata::text);

CREATE FUNCTION wall.count_added_documents() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.add_usage(of_project.project_id, of_project.documents, of_project.bytes) FROM (
        SELECT project_id, count(*) AS documents,
            sum(wall.bytes_of(size, original_size, history_bytes, metadata))::bigint AS bytes
        FROM added WHERE deleted_at IS NULL GROUP BY project_id
    ) AS of_project;
    RETURN NULL;
END
$$;

CREATE FUNCTION wall.count_removed_documents() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
DECLARE
    of_project record;
BEGIN
    FOR of_project IN
        SELECT project_id, count(*) AS documents,
            sum(wall.bytes_of(size, original_size, history_bytes, metadata))::bigint AS bytes
        FROM removed WHERE deleted_at IS NULL GROUP BY project_id
    LOOP
        PERFORM wall.add_usage(of_project.project_id, -of_project.documents, -of_project.bytes);
    END LOOP;
    RETURN NULL;
END
$$;

CREATE FUNCTION wall.count_changed_document() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
DECLARE
    more_documents bigint := (NEW.deleted_at IS NULL)::integer - (OLD.deleted_at IS NULL)::integer;
    more_bytes bigint := 0;
BEGIN
    IF NEW.deleted_at IS NULL THEN
        more_bytes := wall.bytes_of(NEW.size, NEW.original_size, NEW.history_bytes, NEW.metadata);
    END IF;
    IF OLD.deleted_at IS NULL THEN
        more_bytes := more_bytes - wall.bytes_of(OLD.size, OLD.original_size, OLD.history_bytes, OLD.metadata);
    END IF;
    IF more_documents <> 0 OR more_bytes <> 0 THEN
        PERFORM wall.add_usage(NEW.project_id, more_documents, more_bytes);
    END IF;
    RETURN NULL;
END
$$;

-- An answer stored for its Idempotency-Key may be as large as the document in it.
CREATE FUNCTION wall.count_added_answers() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.add_usage(of_project.project_id, 0, of_project.bytes) FROM (
        SELECT project_id, sum(octet_length(body))::bigint AS bytes FROM added GROUP BY project_id
    ) AS of_project;
    RETURN NULL;
END
$$;

CREATE FUNCTION wall.count_removed_answers() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.add_usage(of_project.project_id, 0, -of_project.bytes) FROM (
        SELECT project_id, sum(octet_length(body))::bigint AS bytes FROM removed GROUP BY project_id
    ) AS of_project;
    RETURN NULL;
END
$$;

-- Answers that contain a deleted resource are emptied.
CREATE FUNCTION wall.count_changed_answers() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.add_usage(of_project.project_id, 0, of_project.bytes) FROM (
        SELECT answer.project_id, sum(answer.bytes)::bigint AS bytes FROM (
            SELECT project_id, octet_length(body) AS bytes FROM current
            UNION ALL SELECT project_id, -octet_length(body) FROM former
        ) AS answer GROUP BY answer.project_id
    ) AS of_project WHERE of_project.bytes <> 0;
    RETURN NULL;
END
$$;

CREATE TRIGGER idempotency_key_added AFTER INSERT ON idempotency_key
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION wall.count_added_answers();
CREATE TRIGGER idempotency_key_changed AFTER UPDATE ON idempotency_key
    REFERENCING OLD TABLE AS former NEW TABLE AS current
    FOR EACH STATEMENT EXECUTE FUNCTION wall.count_changed_answers();
CREATE TRIGGER idempotency_key_removed AFTER DELETE ON idempotency_key
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION wall.count_removed_answers();
CREATE TRIGGER project_quota_changed AFTER INSERT OR UPDATE OR DELETE ON project_quota
    FOR EACH ROW EXECUTE FUNCTION wall.look_again();
CREATE TRIGGER quota_default_changed AFTER INSERT OR UPDATE OR DELETE ON quota_default
    FOR EACH ROW EXECUTE FUNCTION wall.look_again();
CREATE TRIGGER document_added AFTER INSERT ON document
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION wall.count_added_documents();
CREATE TRIGGER document_removed AFTER DELETE ON document
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION wall.count_removed_documents();
CREATE TRIGGER document_changed AFTER UPDATE OF size, original_size, history_bytes, metadata, deleted_at ON document
    FOR EACH ROW EXECUTE FUNCTION wall.count_changed_document();
"""

# A replaced text is stored once, and a text that becomes current again is stored only in the document. `history_bytes`
# is a column of the document, so that a change counts once, and deleting a document does not read all its texts.
_TEXTS = """
CREATE FUNCTION wall.keep_text() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    again bigint;
BEGIN
    INSERT INTO public.document_text (project_id, document_id, content_sha256, size, content)
    VALUES (OLD.project_id, OLD.id, OLD.content_sha256, OLD.size, OLD.content)
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        NEW.history_bytes := NEW.history_bytes + OLD.size;
    END IF;
    DELETE FROM public.document_text AS t
    WHERE t.project_id = NEW.project_id AND t.document_id = NEW.id AND t.content_sha256 = NEW.content_sha256
    RETURNING t.size INTO again;
    NEW.history_bytes := NEW.history_bytes - coalesce(again, 0);
    RETURN NEW;
END
$$;

CREATE FUNCTION wall.drop_old_versions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    DELETE FROM public.document_version AS v
    WHERE v.project_id = NEW.project_id AND v.document_id = NEW.document_id
        AND v.number <= NEW.number - (SELECT wall.quota_of(NEW.project_id, 'versions_per_document'));
    IF FOUND THEN
        WITH gone AS (
            DELETE FROM public.document_text AS t
            WHERE t.project_id = NEW.project_id AND t.document_id = NEW.document_id AND NOT EXISTS (
                SELECT FROM public.document_version AS v
                WHERE v.project_id = t.project_id AND v.document_id = t.document_id
                    AND v.content_sha256 = t.content_sha256
            )
            RETURNING t.size
        ), freed AS (SELECT sum(gone.size) AS bytes FROM gone)
        UPDATE public.document AS d SET history_bytes = d.history_bytes - freed.bytes FROM freed
        WHERE d.project_id = NEW.project_id AND d.id = NEW.document_id AND freed.bytes > 0;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER document_text_replaced BEFORE UPDATE OF content ON document
    FOR EACH ROW WHEN (NEW.content_sha256 <> OLD.content_sha256) EXECUTE FUNCTION wall.keep_text();
CREATE TRIGGER document_version_added AFTER INSERT ON document_version
    FOR EACH ROW WHEN (NEW.number > 1) EXECUTE FUNCTION wall.drop_old_versions();
"""

# The policies would hide all rows from the owner.
_MOVE_TEXTS = """
ALTER TABLE document NO FORCE ROW LEVEL SECURITY;
ALTER TABLE document_version NO FORCE ROW LEVEL SECURITY;
ALTER TABLE document_text NO FORCE ROW LEVEL SECURITY;
INSERT INTO document_text (project_id, document_id, content_sha256, size, content)
SELECT DISTINCT ON (v.project_id, v.document_id, v.content_sha256)
    v.project_id, v.document_id, v.content_sha256, v.size, v.content
FROM document_version AS v JOIN document AS d ON d.project_id = v.project_id AND d.id = v.document_id
WHERE v.content_sha256 <> d.content_sha256
ORDER BY v.project_id, v.document_id, v.content_sha256;
UPDATE document AS d SET history_bytes = kept.bytes
FROM (SELECT project_id, document_id, sum(size) AS bytes FROM document_text GROUP BY 1, 2) AS kept
WHERE d.project_id = kept.project_id AND d.id = kept.document_id;
INSERT INTO project_usage (project_id, documents, bytes)
SELECT project_id, count(*), sum(wall.bytes_of(size, original_size, history_bytes, metadata))
FROM document GROUP BY project_id;
INSERT INTO project_usage (project_id, documents, bytes)
SELECT p.id, 0, sum(octet_length(k.body))
FROM idempotency_key AS k JOIN project AS p ON p.id = k.project_id GROUP BY p.id;
ALTER TABLE document_version DROP COLUMN content;
ALTER TABLE document FORCE ROW LEVEL SECURITY;
ALTER TABLE document_version FORCE ROW LEVEL SECURITY;
ALTER TABLE document_text FORCE ROW LEVEL SECURITY;
"""

_COUNT_RUNS = """
ALTER TABLE run NO FORCE ROW LEVEL SECURITY;
INSERT INTO agent_usage AS used (project_id, month, runs)
SELECT project_id, date_trunc('month', created_at AT TIME ZONE 'UTC')::date, count(*) FROM run GROUP BY 1, 2
ON CONFLICT (project_id, month) DO UPDATE SET runs = excluded.runs;
ALTER TABLE run FORCE ROW LEVEL SECURITY;
"""

_MOVE_TEXTS_BACK = """
ALTER TABLE document_version NO FORCE ROW LEVEL SECURITY;
ALTER TABLE document NO FORCE ROW LEVEL SECURITY;
ALTER TABLE document_text NO FORCE ROW LEVEL SECURITY;
ALTER TABLE document_version ADD COLUMN content text;
UPDATE document_version AS v SET content = coalesce(
    (SELECT t.content FROM document_text AS t WHERE t.project_id = v.project_id AND t.document_id = v.document_id
        AND t.content_sha256 = v.content_sha256),
    (SELECT d.content FROM document AS d WHERE d.project_id = v.project_id AND d.id = v.document_id)
);
ALTER TABLE document_version ALTER COLUMN content SET NOT NULL;
ALTER TABLE document_version FORCE ROW LEVEL SECURITY;
ALTER TABLE document FORCE ROW LEVEL SECURITY;
"""

_CHUNKS = """
CREATE OR REPLACE FUNCTION wall.count_added_chunks() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
{body}
$$;
"""
_COUNT_CHUNKS = """BEGIN
    INSERT INTO public.search_statistic AS corpus (project_id, chunks, terms)
    SELECT project_id, count(*), sum(length) FROM added GROUP BY project_id
    ON CONFLICT (project_id) DO UPDATE
        SET chunks = corpus.chunks + excluded.chunks, terms = corpus.terms + excluded.terms;
    RETURN NULL;
END"""
_LIMIT_CHUNKS = """DECLARE
    grown record;
BEGIN
    FOR grown IN
        INSERT INTO public.search_statistic AS corpus (project_id, chunks, terms)
        SELECT project_id, count(*), sum(length) FROM added GROUP BY project_id
        ON CONFLICT (project_id) DO UPDATE
            SET chunks = corpus.chunks + excluded.chunks, terms = corpus.terms + excluded.terms
        RETURNING corpus.project_id, corpus.chunks
    LOOP
        PERFORM wall.require_quota('passages', grown.chunks, (SELECT count(*) FROM added),
            wall.quota_of(grown.project_id, 'passages'), true);
    END LOOP;
    RETURN NULL;
END"""

# Owned projects are counted with a lock per account, the other quotas without one.
_LIMITS = """
CREATE FUNCTION wall.limit_keys() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
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

CREATE FUNCTION wall.limit_webhooks() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.require_quota('webhooks', (
        SELECT count(*) FROM public.webhook AS w WHERE w.project_id = NEW.project_id
    ), 1, wall.quota_of(NEW.project_id, 'webhooks'), true);
    RETURN NULL;
END
$$;

CREATE FUNCTION wall.limit_members() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.require_quota('members', (
        SELECT count(*) FROM public.project_member AS m WHERE m.project_id = NEW.project_id
    ), 1, wall.quota_of(NEW.project_id, 'members'), false);
    RETURN NULL;
END
$$;

CREATE FUNCTION wall.limit_invitations() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
    PERFORM wall.require_quota('members', (
        (SELECT count(*) FROM public.project_member AS m WHERE m.project_id = NEW.project_id)
        + (SELECT count(*) FROM public.invitation AS i WHERE i.project_id = NEW.project_id AND i.expires_at > now())
    ), 1, wall.quota_of(NEW.project_id, 'members'), true);
    RETURN NULL;
END
$$;

CREATE FUNCTION wall.limit_projects() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
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
    RETURN NULL;
END
$$;

CREATE FUNCTION wall.count_run() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
    started bigint;
BEGIN
    INSERT INTO public.agent_usage AS used (project_id, month, runs)
    VALUES (NEW.project_id, date_trunc('month', now() AT TIME ZONE 'UTC')::date, 1)
    ON CONFLICT (project_id, month) DO UPDATE SET runs = used.runs + 1
    RETURNING used.runs INTO started;
    PERFORM wall.require_quota('runs', started, 1, wall.quota_of(NEW.project_id, 'runs'), true);
    RETURN NULL;
END
$$;

CREATE TRIGGER api_key_limit AFTER INSERT ON api_key FOR EACH ROW EXECUTE FUNCTION wall.limit_keys();
CREATE TRIGGER webhook_limit AFTER INSERT ON webhook FOR EACH ROW EXECUTE FUNCTION wall.limit_webhooks();
CREATE TRIGGER invitation_limit AFTER INSERT ON invitation FOR EACH ROW EXECUTE FUNCTION wall.limit_invitations();
CREATE TRIGGER project_member_limit AFTER INSERT ON project_member
    FOR EACH ROW EXECUTE FUNCTION wall.limit_members();
CREATE TRIGGER project_member_founded AFTER INSERT ON project_member
    FOR EACH ROW WHEN (NEW.role = 'owner') EXECUTE FUNCTION wall.limit_projects();
CREATE TRIGGER project_member_given AFTER UPDATE OF role ON project_member
    FOR EACH ROW WHEN (NEW.role = 'owner' AND OLD.role <> 'owner') EXECUTE FUNCTION wall.limit_projects();
CREATE TRIGGER run_added AFTER INSERT ON run FOR EACH ROW EXECUTE FUNCTION wall.count_run();
"""

# Every member may see these numbers, even for keys and webhooks, whose rows most members may not see.
_SHOW = """
CREATE FUNCTION wall.usage() RETURNS TABLE (quota text, used numeric, most numeric) LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog
AS $$
    WITH entered AS MATERIALIZED (
        SELECT wall.current_project() AS id, date_trunc('month', now() AT TIME ZONE 'UTC')::date AS month
    ), stored AS MATERIALIZED (
        SELECT coalesce(sum(u.documents), 0) AS documents, coalesce(sum(u.bytes), 0) AS bytes
        FROM entered LEFT JOIN public.project_usage AS u ON u.project_id = entered.id
    )
    SELECT counted.quota, counted.used, wall.quota_of(entered.id, counted.quota)
    FROM entered, stored, LATERAL (VALUES
        ('documents', stored.documents),
        ('bytes', stored.bytes),
        ('versions_per_document', NULL),
        ('passages',
            (SELECT coalesce(max(s.chunks), 0) FROM public.search_statistic AS s WHERE s.project_id = entered.id)),
        ('keys', (SELECT count(*) FROM public.api_key AS k WHERE k.project_id = entered.id
            AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()))),
        ('webhooks', (SELECT count(*) FROM public.webhook AS w WHERE w.project_id = entered.id)),
        ('members', (SELECT count(*) FROM public.project_member AS m WHERE m.project_id = entered.id)),
        ('runs', (SELECT coalesce(max(a.runs), 0) FROM public.agent_usage AS a
            WHERE a.project_id = entered.id AND a.month = entered.month)),
        ('spending', (SELECT coalesce(max(a.cost), 0) FROM public.agent_usage AS a
            WHERE a.project_id = entered.id AND a.month = entered.month))
    ) AS counted (quota, used)
    WHERE entered.id IS NOT NULL
$$;

CREATE FUNCTION wall.usage_of_account() RETURNS TABLE (quota text, used numeric, most numeric)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
    SELECT 'projects', (
        SELECT count(*) FROM public.project_member AS m
        WHERE m.account_id = wall.current_user_id() AND m.role = 'owner'
    ), wall.quota_of_account(wall.current_user_id(), 'projects')
    WHERE wall.current_user_id() IS NOT NULL
$$;
"""

# For operators, to whom the policies of documents give no access: it opens a scope as the project's own worker. It
# waits until all writers have finished, and blocks new ones.
_RECOUNT = """
CREATE FUNCTION wall.recount_usage(project uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog
AS $$
DECLARE
    before record;
    after record;
BEGIN
    IF wall.open_scope('service:' || project::text, project) IS NULL THEN
        RETURN false;
    END IF;
    PERFORM wall.lock_exclusive(project, '');
    SELECT coalesce(sum(u.documents), 0) AS documents, coalesce(sum(u.bytes), 0) AS bytes INTO before
    FROM public.project_usage AS u WHERE u.project_id = project;
    UPDATE public.document AS d SET history_bytes = kept.bytes FROM (
        SELECT o.id, coalesce(sum(t.size), 0)::bigint AS bytes
        FROM public.document AS o
            LEFT JOIN public.document_text AS t ON t.project_id = o.project_id AND t.document_id = o.id
        WHERE o.project_id = project GROUP BY o.id
    ) AS kept WHERE d.project_id = project AND d.id = kept.id AND d.history_bytes <> kept.bytes;
    DELETE FROM public.project_usage AS u WHERE u.project_id = project;
    INSERT INTO public.project_usage (project_id, documents, bytes)
    SELECT project, count(*), coalesce(sum(wall.bytes_of(d.size, d.original_size, d.history_bytes, d.metadata)), 0)
        + (SELECT coalesce(sum(octet_length(k.body)), 0) FROM public.idempotency_key AS k WHERE k.project_id = project)
    FROM public.document AS d WHERE d.project_id = project AND d.deleted_at IS NULL
    RETURNING documents, bytes INTO after;
    RETURN before.documents <> after.documents OR before.bytes <> after.bytes;
END
$$;
"""

_CALLED = (
    "wall.quota_of(uuid, text), wall.usage(), wall.usage_of_account(), wall.bytes_of(integer, bigint, bigint, jsonb)"
)
_OWN = """wall.quota_of_account(uuid, text), wall.require_quota(text, numeric, numeric, numeric, boolean),
    wall.add_usage(uuid, bigint, bigint), wall.require_room(uuid, bigint, bigint, bigint), wall.look_again(),
    wall.count_added_documents(), wall.count_removed_documents(),
    wall.count_changed_document(), wall.count_added_answers(), wall.count_changed_answers(),
    wall.count_removed_answers(),
    wall.keep_text(), wall.drop_old_versions(), wall.limit_keys(),
    wall.limit_webhooks(), wall.limit_members(), wall.limit_invitations(), wall.limit_projects(), wall.count_run(),
    wall.recount_usage(uuid)"""


def upgrade() -> None:
    script(_TABLES)
    script(_POLICIES)
    script(_QUOTAS)
    script(_USAGE.partition("CREATE TRIGGER")[0])
    script(_MOVE_TEXTS)
    script(_COUNT_RUNS)
    script("CREATE TRIGGER" + _USAGE.partition("CREATE TRIGGER")[2])
    script(_TEXTS)
    script(_CHUNKS.format(body=_LIMIT_CHUNKS))
    script(_LIMITS)
    script(_SHOW)
    script(_RECOUNT)
    # lint: allow sql-text - constant lists of functions
    op.execute(f"REVOKE EXECUTE ON FUNCTION {_CALLED}, {_OWN} FROM PUBLIC")
    grant("EXECUTE", f"FUNCTION {_CALLED}")
    grant("SELECT, INSERT, UPDATE (most)", "quota_default")
    grant("SELECT", "project_quota, account_quota, project_usage")
    grant("SELECT, INSERT", "document_text")


def downgrade() -> None:
    script("""
        DROP TRIGGER run_added ON run;
        DROP TRIGGER idempotency_key_removed ON idempotency_key;
        DROP TRIGGER idempotency_key_changed ON idempotency_key;
        DROP TRIGGER idempotency_key_added ON idempotency_key;
        DROP TRIGGER project_member_given ON project_member;
        DROP TRIGGER project_member_founded ON project_member;
        DROP TRIGGER project_member_limit ON project_member;
        DROP TRIGGER invitation_limit ON invitation;
        DROP TRIGGER webhook_limit ON webhook;
        DROP TRIGGER api_key_limit ON api_key;
        DROP TRIGGER document_version_added ON document_version;
        DROP TRIGGER document_text_replaced ON document;
        DROP TRIGGER document_changed ON document;
        DROP TRIGGER document_removed ON document;
        DROP TRIGGER document_added ON document;
    """)
    script(_CHUNKS.format(body=_COUNT_CHUNKS))
    script(_MOVE_TEXTS_BACK)
    script("""
        DROP POLICY counting ON idempotency_key;
        DROP POLICY counting ON agent_usage;
        DROP TABLE document_text, project_usage, account_quota, project_quota, quota_default;
        ALTER TABLE agent_usage DROP COLUMN runs;
        ALTER TABLE document DROP COLUMN deleted_at, DROP COLUMN history_bytes;
    """)
    # lint: allow sql-text - constant lists of functions
    op.execute(f"DROP FUNCTION {_CALLED}, {_OWN}")
