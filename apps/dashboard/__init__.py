"""The tenants' door: HTML."""
