CREATE TABLE agent_usage (
    project_id uuid NOT NULL,
    month date NOT NULL,
    tokens bigint DEFAULT 0 NOT NULL,
    tool_calls bigint DEFAULT 0 NOT NULL,
    seconds double precision DEFAULT 0 NOT NULL,
    cost numeric(20, 8) DEFAULT 0 NOT NULL,
    runs bigint DEFAULT 0 NOT NULL,
    CONSTRAINT agent_usage_pkey PRIMARY KEY (project_id, month),
    CONSTRAINT agent_usage_project_id_fkey FOREIGN KEY (project_id) REFERENCES project (id) ON DELETE CASCADE
);
ALTER TABLE agent_usage ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON agent_usage USING (project_id = (SELECT wall.current_project()));
CREATE POLICY counting ON agent_usage TO CURRENT_USER USING (true);
GRANT SELECT, INSERT, UPDATE (tokens, tool_calls, seconds, cost) ON agent_usage TO :runtime_role;

CREATE TABLE agent_budget (
    project_id uuid NOT NULL,
    tokens bigint,
    tool_calls bigint,
    seconds bigint,
    cost numeric(20, 8),
    revision integer DEFAULT 1 NOT NULL,
    updated_by text NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT agent_budget_pkey PRIMARY KEY (project_id),
    CONSTRAINT agent_budget_project_id_fkey FOREIGN KEY (project_id) REFERENCES project (id) ON DELETE CASCADE
);
ALTER TABLE agent_budget ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON agent_budget USING (project_id = (SELECT wall.current_project()));
GRANT SELECT, INSERT, UPDATE (tokens, tool_calls, seconds, cost, revision, updated_by, updated_at)
    ON agent_budget TO :runtime_role;
