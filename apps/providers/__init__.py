"""Outbound adapters. Plain Python: each turns one network's world into the few words of `base.py`."""
