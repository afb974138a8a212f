"""Outgoing events."""
