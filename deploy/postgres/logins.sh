#!/bin/sh
# Runs once, when the database is created: one login and one schema per service, closed to each other.
set -eu
for service in gateway oauth webhooks connectors certification; do
    variable="JACKFIELD_$(echo "$service" | tr '[:lower:]' '[:upper:]')_PASSWORD"
    password=$(printenv "$variable")
    psql --quiet --set ON_ERROR_STOP=1 --set password="$password" --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<SQL
CREATE ROLE jackfield_$service LOGIN PASSWORD :'password';
CREATE SCHEMA $service AUTHORIZATION jackfield_$service;
ALTER ROLE jackfield_$service SET search_path = $service;
SQL
done
psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<SQL
REVOKE ALL ON SCHEMA public FROM PUBLIC;
SQL
