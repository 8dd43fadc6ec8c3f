"""Test tools for any application."""
