"""What came back: received, opened, clicked, converted."""
