"""Login at identity providers: OpenID Connect, and GitHub."""
