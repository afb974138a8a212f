"""OAuth 2.0 at `/api/oauth/`: the client credentials grant (RFC 6749) and token revocation (RFC 7009)."""
