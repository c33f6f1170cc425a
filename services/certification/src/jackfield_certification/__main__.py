"""`python -m jackfield_certification`: the service."""

from jackfield_certification.app import main

if __name__ == "__main__":
    main()
