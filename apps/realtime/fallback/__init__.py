"""Connections over plain HTTP requests, as pusher-js falls back to where WebSockets are blocked.

A session lives in the gateway that its first request reached. Its later requests may reach any gateway: those hand on,
through Valkey, what the client sends (board.py) and what it is to receive (outlets.py).
"""
