CREATE TABLE idempotency_key (
    principal text NOT NULL,
    project_id uuid NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status integer NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    subjects uuid[] DEFAULT '{}' NOT NULL,
    CONSTRAINT idempotency_key_pkey PRIMARY KEY (principal, project_id, route, key)
);
CREATE INDEX idempotency_key_created_at_idx ON idempotency_key (created_at);
CREATE INDEX idempotency_key_subjects_idx ON idempotency_key USING gin (subjects);
CREATE INDEX idempotency_key_project_id_idx ON idempotency_key (project_id);
ALTER TABLE idempotency_key ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY counting ON idempotency_key FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY own ON idempotency_key USING (principal = (SELECT wall.current_principal()));
CREATE POLICY pruning ON idempotency_key TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, DELETE ON idempotency_key TO :runtime_role;
