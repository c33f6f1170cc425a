"""Runs Kafka, PostgreSQL and the services on one machine, with nothing but Python installed."""
