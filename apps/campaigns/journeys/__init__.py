"""Journeys: sequences of waits, branches and sends as data, which people walk through one by one."""
