"""Stand-ins for the push networks on this machine: for tests, benchmarks and trying the product without accounts.

They live beside the adapters and not under tests/, because a running installation can be pointed at them
(`python -m apps.providers.counterparts`). Nothing of the product imports them.
"""
