"""Certifies connectors by executing them."""
