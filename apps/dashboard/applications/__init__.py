"""Applications: their settings, what signs for them, what connects to them."""
