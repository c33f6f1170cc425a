"""All the SQL of the oauth service, one module a noun."""
