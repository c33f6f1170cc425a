"""The gateway's rules, by noun: no HTTP, no Kafka client, no SQL."""
