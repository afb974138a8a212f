"""What gateways know together, in Valkey: who is present, which channels are occupied, how many are connected.

Every fact is tied to a node's lease and listed in the node's inventory, so that a dead node's part is given back.
"""
