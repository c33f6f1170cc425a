"""`python -m jackfield_oauth` runs the service; with arguments it is the operator's command."""

import sys

from jackfield_oauth import app, command

if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(command.main(sys.argv[1:]))
    app.main()
