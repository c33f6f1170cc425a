"""Verification schemes: each kind of the vocabulary, compiled once per version of an integration."""
