"""The generator of load: what is sent, when, and what came back."""
