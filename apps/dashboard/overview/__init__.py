"""The first page after signing in, and the one before it."""
