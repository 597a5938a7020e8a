CREATE TABLE api_key (
    project_id uuid NOT NULL,
    id uuid DEFAULT uuidv7() NOT NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    secret_hash bytea NOT NULL,
    role text NOT NULL,
    created_by text NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT api_key_pkey PRIMARY KEY (project_id, id),
    CONSTRAINT api_key_prefix_key UNIQUE (prefix),
    CONSTRAINT api_key_project_id_fkey FOREIGN KEY (project_id) REFERENCES project (id) ON DELETE CASCADE,
    CONSTRAINT api_key_role_check CHECK (role IN ('admin', 'editor', 'viewer'))
);
CREATE UNIQUE INDEX api_key_id_key ON api_key (id);
ALTER TABLE api_key ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON api_key USING (project_id = (SELECT wall.current_project()));
CREATE POLICY directory ON api_key TO CURRENT_USER USING (true);
CREATE POLICY managed ON api_key AS RESTRICTIVE TO :runtime_role
    USING ((SELECT wall.person_role()) IN ('owner', 'admin'));
GRANT INSERT, SELECT (project_id, id, name, prefix, role, created_by, expires_at, last_used_at, revoked_at,
    created_at), UPDATE (revoked_at) ON api_key TO :runtime_role;
