"""Tokens that an identity provider signed (JWT, OIDC), beside API keys."""
