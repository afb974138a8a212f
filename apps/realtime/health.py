"""Is a plane serving? For the readiness check of the process it runs in; callable from any thread."""

from __future__ import annotations

from apps.realtime.plane import Plane


def problem_of(plane: Plane) -> str:
    """Why this process should get no traffic, in a word; empty when all is well."""
    if plane.is_draining:
        return "draining"
    if not plane.engines:
        return "not connected to the broker yet"
    if not all(engine.probe.is_delivering for engine in plane.engines):
        return "what is published does not come back from the broker"
    return ""
