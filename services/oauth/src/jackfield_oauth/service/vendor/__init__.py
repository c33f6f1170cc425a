"""The OAuth client for third parties: sign-in at a vendor, and refresh of what it gave."""
