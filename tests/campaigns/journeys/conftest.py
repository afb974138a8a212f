from tests.sending import network

__all__ = ["network"]
