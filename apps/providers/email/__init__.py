"""E-mail: SMTP by way of Django's mail backend, to mailboxes that people registered like any other device."""
