"""What a message says: languages, Liquid, variables, variants."""
