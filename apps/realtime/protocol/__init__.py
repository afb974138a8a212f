"""The Pusher Channels protocol 7 as pure functions: no sockets, no clock, no Django.

Source: pusher.com/docs/channels.
"""
