"""Webhooks of the chosen application: where its channel events go, and what became of each call."""
