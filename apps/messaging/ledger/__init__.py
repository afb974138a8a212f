"""One row per (message, subscriber, route): planned, attempted, recorded, summed up, told to billing."""
