"""Campaigns: who gets what, when, and why not."""
