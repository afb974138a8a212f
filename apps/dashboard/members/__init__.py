"""Members of the organisation, and invitations to it."""
