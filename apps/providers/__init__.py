"""Outbound adapters, plain Python."""
