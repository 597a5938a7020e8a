CREATE TABLE identity (
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL,
    provider text NOT NULL,
    address text,
    last_used_at timestamptz DEFAULT now() NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT identity_pkey PRIMARY KEY (id),
    CONSTRAINT identity_issuer_subject_key UNIQUE (issuer, subject),
    CONSTRAINT identity_account_id_fkey FOREIGN KEY (account_id) REFERENCES account (id) ON DELETE CASCADE
);
CREATE INDEX identity_account_id_created_at_idx ON identity (account_id, created_at);
ALTER TABLE identity ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY directory ON identity TO CURRENT_USER USING (true);
CREATE POLICY own ON identity USING (account_id = (SELECT wall.current_user_id()));
GRANT SELECT ON identity TO :runtime_role;
