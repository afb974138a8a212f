"""The operators' door: run, health, metrics."""
