CREATE TABLE account_audit (
    id uuid DEFAULT uuidv7() NOT NULL,
    account_id uuid,
    action text NOT NULL,
    actor text,
    subject text,
    data jsonb DEFAULT '{}' NOT NULL,
    client text,
    request_id text,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT account_audit_pkey PRIMARY KEY (id)
);
CREATE INDEX account_audit_account_id_created_at_id_idx ON account_audit (account_id, created_at, id);
CREATE INDEX account_audit_created_at_idx ON account_audit (created_at);
ALTER TABLE account_audit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY directory ON account_audit TO CURRENT_USER USING (true);
CREATE POLICY own ON account_audit USING (account_id = (SELECT wall.current_user_id()));
GRANT SELECT, INSERT ON account_audit TO :runtime_role;

CREATE TABLE project_audit (
    project_id uuid NOT NULL,
    id uuid DEFAULT uuidv7() NOT NULL,
    action text NOT NULL,
    actor text,
    subject text,
    data jsonb DEFAULT '{}' NOT NULL,
    client text,
    request_id text,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT project_audit_pkey PRIMARY KEY (project_id, id),
    CONSTRAINT project_audit_project_id_fkey FOREIGN KEY (project_id) REFERENCES project (id) ON DELETE CASCADE
);
CREATE INDEX project_audit_project_id_created_at_id_idx ON project_audit (project_id, created_at, id);
CREATE INDEX project_audit_created_at_idx ON project_audit (created_at);
ALTER TABLE project_audit ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON project_audit USING (project_id = (SELECT wall.current_project()));
CREATE POLICY directory ON project_audit TO CURRENT_USER USING (true);
CREATE POLICY owners ON project_audit AS RESTRICTIVE FOR SELECT TO :runtime_role
    USING ((SELECT wall.person_role()) = 'owner');
GRANT SELECT, INSERT ON project_audit TO :runtime_role;
