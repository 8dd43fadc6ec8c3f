"""Profiles: who a customer is and how they pay."""
