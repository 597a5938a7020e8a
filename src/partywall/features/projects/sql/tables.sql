CREATE TABLE project (
    id uuid DEFAULT uuidv7() NOT NULL,
    name text NOT NULL,
    description text,
    language text,
    revision integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    deleted_at timestamptz,
    deleted_for uuid,
    account_id uuid,
    released boolean DEFAULT false NOT NULL,
    CONSTRAINT project_pkey PRIMARY KEY (id)
);
CREATE INDEX project_deleted_at_idx ON project (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX project_deleted_for_idx ON project (deleted_for) WHERE deleted_at IS NOT NULL;
CREATE INDEX project_account_id_idx ON project (account_id);
ALTER TABLE project ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON project USING (id = (SELECT wall.current_project()));
CREATE POLICY directory ON project TO CURRENT_USER USING (true);
CREATE POLICY listed ON project FOR SELECT USING (id IN (SELECT m.project_id FROM wall.memberships() AS m));
GRANT SELECT, DELETE, UPDATE (name, description, language, revision, updated_at) ON project TO :runtime_role;

CREATE TABLE project_member (
    project_id uuid NOT NULL,
    account_id uuid NOT NULL,
    role text NOT NULL,
    joined_at timestamptz DEFAULT now() NOT NULL,
    revision integer DEFAULT 1 NOT NULL,
    CONSTRAINT project_member_pkey PRIMARY KEY (project_id, account_id),
    CONSTRAINT project_member_account_id_fkey FOREIGN KEY (account_id) REFERENCES account (id) ON DELETE CASCADE,
    CONSTRAINT project_member_project_id_fkey FOREIGN KEY (project_id) REFERENCES project (id) ON DELETE CASCADE,
    CONSTRAINT project_member_role_check CHECK (role IN ('owner', 'admin', 'editor', 'viewer'))
);
CREATE INDEX project_member_account_id_idx ON project_member (account_id);
ALTER TABLE project_member ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON project_member USING (project_id = (SELECT wall.current_project()));
CREATE POLICY directory ON project_member TO CURRENT_USER USING (true);
CREATE POLICY left_or_removed ON project_member AS RESTRICTIVE FOR DELETE TO :runtime_role
    USING (
        account_id = (SELECT wall.current_user_id())
        OR (SELECT wall.person_role()) = 'owner' OR ((SELECT wall.person_role()) = 'admin' AND role <> 'owner')
    );
CREATE POLICY managed ON project_member AS RESTRICTIVE FOR UPDATE TO :runtime_role
    USING ((SELECT wall.person_role()) = 'owner' OR ((SELECT wall.person_role()) = 'admin' AND role <> 'owner'));
GRANT SELECT, DELETE, UPDATE (role, revision) ON project_member TO :runtime_role;

CREATE TABLE invitation (
    project_id uuid NOT NULL,
    id uuid DEFAULT uuidv7() NOT NULL,
    email text NOT NULL,
    role text NOT NULL,
    token_hash bytea NOT NULL,
    invited_by text NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT invitation_pkey PRIMARY KEY (project_id, id),
    CONSTRAINT invitation_project_id_email_key UNIQUE (project_id, email),
    CONSTRAINT invitation_token_hash_key UNIQUE (token_hash),
    CONSTRAINT invitation_project_id_fkey FOREIGN KEY (project_id) REFERENCES project (id) ON DELETE CASCADE,
    CONSTRAINT invitation_role_check CHECK (role IN ('owner', 'admin', 'editor', 'viewer'))
);
CREATE INDEX invitation_email_idx ON invitation (email);
CREATE INDEX invitation_expires_at_idx ON invitation (expires_at);
ALTER TABLE invitation ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY wall ON invitation USING (project_id = (SELECT wall.current_project()));
CREATE POLICY directory ON invitation TO CURRENT_USER USING (true);
CREATE POLICY managed ON invitation AS RESTRICTIVE TO :runtime_role
    USING ((SELECT wall.person_role()) IN ('owner', 'admin'))
    WITH CHECK ((SELECT wall.person_role()) = 'owner' OR ((SELECT wall.person_role()) = 'admin' AND role <> 'owner'));
GRANT SELECT, INSERT, DELETE ON invitation TO :runtime_role;
