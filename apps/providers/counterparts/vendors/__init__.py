"""Stand-ins for the phone makers' push services."""
