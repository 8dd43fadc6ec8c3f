"""How a capability of another part is called."""
