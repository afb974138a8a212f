"""What a person chooses for themselves: language, theme, and where they work."""
