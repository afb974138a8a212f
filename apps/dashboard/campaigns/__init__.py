"""Campaigns: planning, reviewing, scheduling, following."""
