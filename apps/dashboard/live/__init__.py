"""The live page: what a subscriber's phone would show, over the same WebSocket a customer's page would use."""
