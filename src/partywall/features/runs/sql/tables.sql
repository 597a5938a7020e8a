CREATE TABLE run (
    project_id uuid NOT NULL,
    id uuid DEFAULT uuidv7() NOT NULL,
    agent text NOT NULL,
    status text DEFAULT 'queued' NOT NULL,
    input jsonb NOT NULL,
    output json,
    error_code text,
    error_detail text,
    pending json,
    continues uuid,
    principal text NOT NULL,
    request_id text,
    turn integer DEFAULT 1 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    state integer DEFAULT 0 NOT NULL,
    model_calls integer DEFAULT 0 NOT NULL,
    tool_calls integer DEFAULT 0 NOT NULL,
    input_tokens bigint DEFAULT 0 NOT NULL,
    output_tokens bigint DEFAULT 0 NOT NULL,
    seconds double precision DEFAULT 0 NOT NULL,
    cost numeric(20, 8) DEFAULT 0 NOT NULL,
    priced boolean DEFAULT true NOT NULL,
    cancel_requested_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    traceparent text,
    retry_at timestamptz,
    failing_at timestamptz,
    bytes bigint DEFAULT 0 NOT NULL,
    CONSTRAINT run_pkey PRIMARY KEY (project_id, id),
    CONSTRAINT run_project_id_continues_fkey
        FOREIGN KEY (project_id, continues) REFERENCES run (project_id, id) ON DELETE SET NULL (continues),
    CONSTRAINT run_project_id_fkey FOREIGN KEY (project_id) REFERENCES project (id) ON DELETE CASCADE,
    CONSTRAINT run_status_check CHECK (status IN ('queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled'))
);
CREATE INDEX run_created_at_idx ON run (project_id, created_at, id);
CREATE INDEX run_continues_idx ON run (project_id, continues);
CREATE INDEX run_open_idx ON run (project_id, created_at, id) WHERE status IN ('queued', 'running', 'waiting');
ALTER TABLE run ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON run USING (project_id = (SELECT wall.current_project()));
CREATE POLICY admission ON run TO CURRENT_USER USING (true);
CREATE POLICY purging ON run TO CURRENT_USER
    USING (project_id IN (SELECT p.id FROM project AS p WHERE p.deleted_at IS NOT NULL));
GRANT SELECT, INSERT, UPDATE (status, output, error_code, error_detail, pending, turn, attempts, state,
    model_calls, tool_calls, input_tokens, output_tokens, seconds, cost, priced, cancel_requested_at, started_at,
    finished_at, retry_at, failing_at) ON run TO :runtime_role;

CREATE TABLE run_turn (
    project_id uuid NOT NULL,
    run_id uuid NOT NULL,
    number integer NOT NULL,
    messages json NOT NULL,
    pending json,
    decision jsonb,
    decided_by text,
    decided_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT run_turn_pkey PRIMARY KEY (project_id, run_id, number),
    CONSTRAINT run_turn_project_id_run_id_fkey
        FOREIGN KEY (project_id, run_id) REFERENCES run (project_id, id) ON DELETE CASCADE
);
ALTER TABLE run_turn ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON run_turn USING (project_id = (SELECT wall.current_project()));
CREATE POLICY purging ON run_turn TO CURRENT_USER
    USING (project_id IN (SELECT p.id FROM project AS p WHERE p.deleted_at IS NOT NULL));
GRANT SELECT, INSERT, UPDATE (decision, decided_by, decided_at) ON run_turn TO :runtime_role;

CREATE TABLE run_step (
    project_id uuid NOT NULL,
    run_id uuid NOT NULL,
    turn integer NOT NULL,
    name text NOT NULL,
    number integer NOT NULL,
    attempts integer DEFAULT 1 NOT NULL,
    effect json,
    result json,
    started_at timestamptz DEFAULT now() NOT NULL,
    finished_at timestamptz,
    CONSTRAINT run_step_pkey PRIMARY KEY (project_id, run_id, turn, name, number),
    CONSTRAINT run_step_project_id_run_id_fkey
        FOREIGN KEY (project_id, run_id) REFERENCES run (project_id, id) ON DELETE CASCADE
);
ALTER TABLE run_step ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON run_step USING (project_id = (SELECT wall.current_project()));
CREATE POLICY purging ON run_step TO CURRENT_USER
    USING (project_id IN (SELECT p.id FROM project AS p WHERE p.deleted_at IS NOT NULL));
GRANT SELECT, INSERT, UPDATE (attempts, effect, result, finished_at) ON run_step TO :runtime_role;
