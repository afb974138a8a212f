"""Template, Delivery (the ledger), the sending pipeline."""
