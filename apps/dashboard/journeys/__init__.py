"""Journeys: the list, the editor, the picture with its counts, people on the way, what was published."""
