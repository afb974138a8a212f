"""The organisation's audit log: who did what, and when."""
