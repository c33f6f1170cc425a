"""The rules of the oauth service, one module a noun: no HTTP framework, no Kafka client, no SQL."""
