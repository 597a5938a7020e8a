CREATE TABLE account (
    id uuid DEFAULT uuidv7() NOT NULL,
    email text NOT NULL,
    email_verified_at timestamptz,
    full_name text,
    password_hash text,
    disabled_at timestamptz,
    revision integer DEFAULT 1 NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT account_pkey PRIMARY KEY (id),
    CONSTRAINT account_email_key UNIQUE (email)
);
ALTER TABLE account ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY directory ON account TO CURRENT_USER USING (true);
CREATE POLICY own ON account USING (id = (SELECT wall.current_user_id()));
GRANT SELECT (id, email, email_verified_at, full_name, disabled_at, revision, created_at, updated_at),
    UPDATE (full_name, password_hash, revision, updated_at) ON account TO :runtime_role;

CREATE TABLE session (
    id uuid DEFAULT uuidv7() NOT NULL,
    account_id uuid NOT NULL,
    user_agent text,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    last_used_at timestamptz DEFAULT now() NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    used_minute integer DEFAULT 0 NOT NULL,
    uses integer DEFAULT 0 NOT NULL,
    former_uses integer DEFAULT 0 NOT NULL,
    CONSTRAINT session_pkey PRIMARY KEY (id),
    CONSTRAINT session_account_id_id_key UNIQUE (account_id, id),
    CONSTRAINT session_account_id_fkey FOREIGN KEY (account_id) REFERENCES account (id) ON DELETE CASCADE
);
CREATE INDEX session_expires_at_idx ON session (expires_at);
ALTER TABLE session ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY directory ON session TO CURRENT_USER USING (true);
CREATE POLICY own ON session USING (account_id = (SELECT wall.current_user_id()));
GRANT SELECT, INSERT, DELETE, UPDATE (expires_at, revoked_at, last_used_at, used_minute, uses, former_uses)
    ON session TO :runtime_role;

CREATE TABLE refresh_token (
    token_hash bytea NOT NULL,
    account_id uuid NOT NULL,
    session_id uuid NOT NULL,
    used_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT refresh_token_pkey PRIMARY KEY (token_hash),
    CONSTRAINT refresh_token_account_id_session_id_fkey
        FOREIGN KEY (account_id, session_id) REFERENCES session (account_id, id) ON DELETE CASCADE
);
CREATE INDEX refresh_token_account_id_session_id_created_at_idx ON refresh_token (account_id, session_id, created_at);
ALTER TABLE refresh_token ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY directory ON refresh_token TO CURRENT_USER USING (true);
CREATE POLICY own ON refresh_token USING (account_id = (SELECT wall.current_user_id()));
GRANT SELECT, INSERT, DELETE, UPDATE (used_at) ON refresh_token TO :runtime_role;

CREATE TABLE login_failure (
    counter bytea NOT NULL,
    failures integer NOT NULL,
    failed_at timestamptz NOT NULL,
    locked_until timestamptz,
    address_hash bytea NOT NULL,
    CONSTRAINT login_failure_pkey PRIMARY KEY (counter)
);
CREATE INDEX login_failure_failed_at_idx ON login_failure (failed_at);
CREATE INDEX login_failure_address_hash_idx ON login_failure (address_hash);
GRANT SELECT, INSERT, UPDATE, DELETE ON login_failure TO :runtime_role;

CREATE TABLE known_network (
    address_hash bytea NOT NULL,
    network_hash bytea NOT NULL,
    used_at timestamptz NOT NULL,
    CONSTRAINT known_network_pkey PRIMARY KEY (address_hash, network_hash)
);
CREATE INDEX known_network_used_at_idx ON known_network (used_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON known_network TO :runtime_role;

CREATE TABLE registration (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    password_hash text,
    full_name text,
    expires_at timestamptz NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    resent integer DEFAULT 0 NOT NULL,
    network_hash bytea,
    resent_own integer DEFAULT 0 NOT NULL,
    CONSTRAINT registration_pkey PRIMARY KEY (id),
    CONSTRAINT registration_token_hash_key UNIQUE (token_hash),
    CONSTRAINT registration_account_id_fkey FOREIGN KEY (account_id) REFERENCES account (id) ON DELETE CASCADE
);
CREATE INDEX registration_account_id_idx ON registration (account_id);
CREATE INDEX registration_expires_at_idx ON registration (expires_at);
ALTER TABLE registration ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY directory ON registration TO CURRENT_USER USING (true);

CREATE TABLE account_token (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    purpose text NOT NULL,
    token_hash bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT account_token_pkey PRIMARY KEY (id),
    CONSTRAINT account_token_token_hash_key UNIQUE (token_hash),
    CONSTRAINT account_token_account_id_fkey FOREIGN KEY (account_id) REFERENCES account (id) ON DELETE CASCADE
);
CREATE INDEX account_token_account_id_idx ON account_token (account_id);
CREATE INDEX account_token_expires_at_idx ON account_token (expires_at);
ALTER TABLE account_token ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY directory ON account_token TO CURRENT_USER USING (true);
