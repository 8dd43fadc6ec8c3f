"""How a part is served, from its ports to its drain."""
