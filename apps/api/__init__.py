"""The apps' door: REST."""
