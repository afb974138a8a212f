"""Digits in groups of three, as on every Chinese invoice and price list; Django's format leaves them ungrouped."""

THOUSAND_SEPARATOR = ","
NUMBER_GROUPING = 3
