"""From a due chunk to outcomes: who, when, over which routes, and what may stop it."""
