"""The public edge: webhook listener, HTTP API, marketplace."""
