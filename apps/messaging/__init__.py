"""Template, Message, Delivery (the ledger), and the pipeline that sends."""
