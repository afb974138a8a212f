"""Signing up and in, and what a person keeps about themselves."""
