"""All the SQL of the gateway, by noun; `store` opens the transactions."""
