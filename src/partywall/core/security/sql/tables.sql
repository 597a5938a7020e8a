CREATE TABLE signing_key (
    kid text NOT NULL,
    public_jwk jsonb NOT NULL,
    sealed_private_jwk bytea NOT NULL,
    active_at timestamptz DEFAULT now() NOT NULL,
    retired_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT signing_key_pkey PRIMARY KEY (kid)
);
GRANT SELECT, INSERT, UPDATE ON signing_key TO :runtime_role;
