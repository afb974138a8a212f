"""Subscribers, segments and imports of the chosen application."""
