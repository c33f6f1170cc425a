"""Numbered SQL of the oauth schema."""
