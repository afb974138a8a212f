"""People who sign in: User, authenticators, recovery codes, sessions."""
