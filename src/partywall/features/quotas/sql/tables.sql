CREATE TABLE quota_default (
    quota text NOT NULL,
    most numeric(28, 8),
    CONSTRAINT quota_default_pkey PRIMARY KEY (quota)
);
GRANT SELECT, INSERT, UPDATE (most) ON quota_default TO :runtime_role;

CREATE TABLE project_quota (
    project_id uuid NOT NULL,
    quota text NOT NULL,
    most numeric(28, 8),
    set_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT project_quota_pkey PRIMARY KEY (project_id, quota),
    CONSTRAINT project_quota_project_id_fkey FOREIGN KEY (project_id) REFERENCES project (id) ON DELETE CASCADE
);
ALTER TABLE project_quota ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON project_quota USING (project_id = (SELECT wall.current_project()));
CREATE POLICY operating ON project_quota TO CURRENT_USER USING (true);
GRANT SELECT ON project_quota TO :runtime_role;

CREATE TABLE account_quota (
    account_id uuid NOT NULL,
    quota text NOT NULL,
    most numeric(28, 8),
    set_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT account_quota_pkey PRIMARY KEY (account_id, quota),
    CONSTRAINT account_quota_account_id_fkey FOREIGN KEY (account_id) REFERENCES account (id) ON DELETE CASCADE
);
ALTER TABLE account_quota ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY operating ON account_quota TO CURRENT_USER USING (true);
CREATE POLICY own ON account_quota USING (account_id = (SELECT wall.current_user_id()));
GRANT SELECT ON account_quota TO :runtime_role;

CREATE TABLE project_usage (
    project_id uuid NOT NULL,
    slot bigint GENERATED ALWAYS AS IDENTITY,
    documents bigint DEFAULT 0 NOT NULL,
    bytes bigint DEFAULT 0 NOT NULL,
    spare_documents bigint DEFAULT 0 NOT NULL,
    spare_bytes bigint DEFAULT 0 NOT NULL,
    marked_documents bigint DEFAULT 0 NOT NULL,
    marked_bytes bigint DEFAULT 0 NOT NULL,
    CONSTRAINT project_usage_pkey PRIMARY KEY (project_id, slot),
    CONSTRAINT project_usage_project_id_fkey FOREIGN KEY (project_id) REFERENCES project (id) ON DELETE CASCADE
) WITH (
    fillfactor = 50
);
ALTER TABLE project_usage ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON project_usage USING (project_id = (SELECT wall.current_project()));
CREATE POLICY counting ON project_usage TO CURRENT_USER USING (true);
GRANT SELECT ON project_usage TO :runtime_role;
