"""The data plane: protocol, hub, broker, presence, publish, consumers, server adapters."""
