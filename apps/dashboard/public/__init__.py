"""Pages for the people an application talks to. Nobody signs in to them; a signed link is the key."""
