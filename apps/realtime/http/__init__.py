"""The HTTP API of Pusher Channels, straight on ASGI: no Django request, no thread. Source: reference rest-api."""
