"""Server adapters: each gives the hub a direct way to a client's socket (see peers.Frames)."""
