"""`python -m jackfield_cli` is `jackfield`."""

from jackfield_cli.main import main

if __name__ == "__main__":
    main()
