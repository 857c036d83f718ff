"""Architectures by name, and how a model is asked."""
