"""Kernel: errors, ids, clock, encryption, embedded engines. Imports no other app."""
