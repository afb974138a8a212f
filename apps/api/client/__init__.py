"""Doors for an application's clients: phones, pages and service workers, which hold no API key."""
