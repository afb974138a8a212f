"""Subscriber, Segment, import."""
