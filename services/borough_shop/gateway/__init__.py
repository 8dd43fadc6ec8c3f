"""The gateway: the doors. It owns nothing and keeps nothing."""
