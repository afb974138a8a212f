"""JSON Web Tokens that let clients in: what they claim, whose keys sign them, what they allow on a connection."""
