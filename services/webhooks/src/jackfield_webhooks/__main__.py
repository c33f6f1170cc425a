"""`python -m jackfield_webhooks`."""

from jackfield_webhooks.app import main

main()
