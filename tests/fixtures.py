"""Fixtures that make things: tenants, people, applications. Two of each where a neighbour matters."""

from __future__ import annotations
