"""What can stop a start, said in words an operator can act on."""


class StartRefused(RuntimeError):
    """The run cannot start; the message says why and what to do."""
