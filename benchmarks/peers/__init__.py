"""What others would have built: run beside us, for the ratio."""
