"""One bill in every form a person reads; all say the same, from the same tables."""
