"""The push channels of the phone makers in China, and what they have in common."""
