CREATE TABLE webhook (
    project_id uuid NOT NULL,
    id uuid DEFAULT uuidv7() NOT NULL,
    url text NOT NULL,
    types text[],
    description text,
    enabled boolean DEFAULT true NOT NULL,
    sealed_secret bytea NOT NULL,
    sealed_previous_secret bytea,
    previous_until timestamptz,
    revision integer DEFAULT 1 NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT webhook_pkey PRIMARY KEY (project_id, id),
    CONSTRAINT webhook_project_id_fkey FOREIGN KEY (project_id) REFERENCES project (id) ON DELETE CASCADE
);
ALTER TABLE webhook ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON webhook USING (project_id = (SELECT wall.current_project()));
CREATE POLICY dispatching ON webhook FOR SELECT TO CURRENT_USER USING (true);
CREATE POLICY managed ON webhook AS RESTRICTIVE TO :runtime_role
    USING (
        project_id = (SELECT wall.current_project()) AND (
            (SELECT wall.person_role()) IN ('owner', 'admin')
            OR (SELECT wall.current_principal()) = 'service:' || project_id::text
        )
    )
    WITH CHECK (project_id = (SELECT wall.current_project()) AND ((SELECT wall.person_role()) IN ('owner', 'admin')));
CREATE POLICY purging ON webhook TO CURRENT_USER
    USING (project_id IN (SELECT p.id FROM project AS p WHERE p.deleted_at IS NOT NULL));
GRANT SELECT, INSERT, DELETE, UPDATE (url, types, description, enabled, sealed_secret, sealed_previous_secret,
    previous_until, revision, updated_at) ON webhook TO :runtime_role;

CREATE TABLE webhook_progress (
    project_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    "position" bigint NOT NULL,
    disabled_reason text,
    failures integer DEFAULT 0 NOT NULL,
    failing_at timestamptz,
    paused_until timestamptz,
    quiet_until timestamptz,
    CONSTRAINT webhook_progress_pkey PRIMARY KEY (project_id, webhook_id),
    CONSTRAINT webhook_progress_project_id_webhook_id_fkey
        FOREIGN KEY (project_id, webhook_id) REFERENCES webhook (project_id, id) ON DELETE CASCADE,
    CONSTRAINT webhook_progress_disabled_reason_check CHECK (disabled_reason IN ('gone', 'failing', 'reclaimed'))
);
ALTER TABLE webhook_progress ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON webhook_progress USING (project_id = (SELECT wall.current_project()));
CREATE POLICY dispatching ON webhook_progress TO CURRENT_USER USING (true);
CREATE POLICY managed ON webhook_progress AS RESTRICTIVE TO :runtime_role
    USING (
        project_id = (SELECT wall.current_project()) AND (
            (SELECT wall.person_role()) IN ('owner', 'admin')
            OR (SELECT wall.current_principal()) = 'service:' || project_id::text
        )
    );
GRANT SELECT, INSERT, UPDATE (position, disabled_reason, failures, failing_at, paused_until, quiet_until)
    ON webhook_progress TO :runtime_role;

CREATE TABLE webhook_delivery (
    project_id uuid NOT NULL,
    id uuid DEFAULT uuidv7() NOT NULL,
    webhook_id uuid NOT NULL,
    event_id bigint NOT NULL,
    event_type text NOT NULL,
    status text DEFAULT 'pending' NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    attempts_before integer DEFAULT 0 NOT NULL,
    status_code integer,
    error text,
    next_attempt_at timestamptz DEFAULT now(),
    created_at timestamptz DEFAULT now() NOT NULL,
    finished_at timestamptz,
    CONSTRAINT webhook_delivery_pkey PRIMARY KEY (project_id, id),
    CONSTRAINT webhook_delivery_project_id_webhook_id_event_id_key UNIQUE (project_id, webhook_id, event_id),
    CONSTRAINT webhook_delivery_project_id_webhook_id_fkey
        FOREIGN KEY (project_id, webhook_id) REFERENCES webhook (project_id, id) ON DELETE CASCADE,
    CONSTRAINT webhook_delivery_status_check CHECK (status IN ('pending', 'succeeded', 'failed'))
);
CREATE INDEX webhook_delivery_due_idx ON webhook_delivery (project_id, webhook_id, next_attempt_at)
    WHERE status = 'pending';
CREATE INDEX webhook_delivery_listed_idx ON webhook_delivery (project_id, webhook_id, created_at, id);
CREATE INDEX webhook_delivery_created_at_idx ON webhook_delivery USING brin (created_at);
ALTER TABLE webhook_delivery ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON webhook_delivery USING (project_id = (SELECT wall.current_project()));
CREATE POLICY dispatching ON webhook_delivery TO CURRENT_USER USING (true);
CREATE POLICY managed ON webhook_delivery AS RESTRICTIVE TO :runtime_role
    USING (
        project_id = (SELECT wall.current_project()) AND (
            (SELECT wall.person_role()) IN ('owner', 'admin')
            OR (SELECT wall.current_principal()) = 'service:' || project_id::text
        )
    );
GRANT SELECT, INSERT, UPDATE (status, attempts, attempts_before, status_code, error, next_attempt_at, finished_at)
    ON webhook_delivery TO :runtime_role;
