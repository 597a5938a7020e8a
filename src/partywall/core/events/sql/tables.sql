CREATE TABLE event_counter (
    project_id uuid NOT NULL,
    last bigint DEFAULT 0 NOT NULL,
    oldest bigint DEFAULT 1 NOT NULL,
    bytes bigint DEFAULT 0 NOT NULL,
    CONSTRAINT event_counter_pkey PRIMARY KEY (project_id),
    CONSTRAINT event_counter_project_id_fkey FOREIGN KEY (project_id) REFERENCES project (id) ON DELETE CASCADE
);
ALTER TABLE event_counter ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON event_counter USING (project_id = (SELECT wall.current_project()));
CREATE POLICY founding ON event_counter FOR INSERT TO CURRENT_USER WITH CHECK (true);
CREATE POLICY pruning ON event_counter TO CURRENT_USER USING (true);
GRANT SELECT ON event_counter TO :runtime_role;

-- A writer adds its events to this table as the last statement of its transaction. `seq` orders the rows: a transaction
-- that could see a committed row adds its own one later, with a higher `seq`. Sessions must not cache the sequence.
CREATE TABLE pending_event (
    project_id uuid NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    actor text NOT NULL,
    events jsonb NOT NULL,
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pending_event_pkey PRIMARY KEY (project_id, seq),
    CONSTRAINT pending_event_project_id_fkey FOREIGN KEY (project_id) REFERENCES project (id) ON DELETE CASCADE
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_analyze_threshold = 5000,
    autovacuum_vacuum_insert_threshold = -1
);
ALTER TABLE pending_event ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON pending_event USING (project_id = (SELECT wall.current_project()));
CREATE POLICY numbering ON pending_event TO CURRENT_USER USING (true);

CREATE TABLE event (
    project_id uuid NOT NULL,
    id bigint NOT NULL,
    type text NOT NULL,
    actor text NOT NULL,
    subject_kind text NOT NULL,
    subject_id text NOT NULL,
    data jsonb DEFAULT '{}' NOT NULL,
    at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT event_pkey PRIMARY KEY (project_id, id),
    CONSTRAINT event_project_id_fkey FOREIGN KEY (project_id) REFERENCES event_counter (project_id) ON DELETE CASCADE
);
CREATE INDEX event_at_idx ON event USING brin (at);
CREATE INDEX event_subject_id_idx ON event (project_id, subject_id, id);
ALTER TABLE event ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON event USING (project_id = (SELECT wall.current_project()));
CREATE POLICY pruning ON event TO CURRENT_USER USING (true);
GRANT SELECT ON event TO :runtime_role;
