"""`python -m jackfield_connectors` runs the service."""

from jackfield_connectors.app import main

main()
