"""Verified deliveries become normalised events; events become actions."""
