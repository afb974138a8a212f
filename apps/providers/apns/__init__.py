"""Apple's push service: the HTTP/2 provider API with token authentication."""
