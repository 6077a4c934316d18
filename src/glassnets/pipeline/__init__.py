"""The DVC pipeline: its stages, files, manifests and checks."""
