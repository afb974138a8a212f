"""Meters, plans, usage records, quotas."""
