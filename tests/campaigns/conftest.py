from tests.sending import network, people

__all__ = ["network", "people"]
