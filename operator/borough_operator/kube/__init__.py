"""The Kubernetes API: how it is reached, and how its objects are read and written."""
