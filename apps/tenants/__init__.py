"""Tenant, Membership, Application, ApiKey, audit; the tenancy scope and row-level security."""
