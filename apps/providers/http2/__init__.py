"""HTTP/2 to networks that speak nothing else, as fast as Python writes it (docs/decisions/0113-own-http2-sender.md).

Answers for: many small requests on few connections, and saying truly of each whether the network may have seen it.
frames and headers are the wire (RFC 9113, RFC 7541), conversation the protocol without I/O, dialing, link and lane the
sockets. Servers that others named, and those that may speak HTTP/1.1, are called by apps/providers/connections.py.
"""
