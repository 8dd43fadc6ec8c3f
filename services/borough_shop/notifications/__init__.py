"""Notifications: what customers were told, once per event."""
