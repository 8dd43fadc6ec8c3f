"""The experiments a bill is computed from, a file each: E0 validity, E1 ladder, E2 shapes."""
