"""`python -m jackfield_gateway` runs the service."""

from jackfield_gateway import app

if __name__ == "__main__":
    app.main()
