"""An application's accounts with push networks: their health, adding, replacing, removing and trying them."""
