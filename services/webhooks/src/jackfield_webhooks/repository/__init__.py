"""All the SQL of the webhooks service."""
