"""The verbs of webhooks, a module per subject: endpoints, collecting, delivering, replaying, notices, upkeep."""
