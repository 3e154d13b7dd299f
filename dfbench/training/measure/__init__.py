"""Trained networks against the truth: a quantity a file."""
