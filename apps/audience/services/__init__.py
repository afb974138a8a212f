"""The verbs of the audience. Each module is one noun: `subscribers`, `segments`, `imports` and `intake`."""
