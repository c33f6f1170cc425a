"""Authorization server, OAuth client for third parties, credential vault."""
