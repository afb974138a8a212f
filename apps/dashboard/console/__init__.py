"""The debug console: what an application's connections do right now, and a form to publish."""
