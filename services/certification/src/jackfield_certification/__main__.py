"""`python -m jackfield_certification`: the service; with `emulate …`, a vendor on this machine."""

import sys

from jackfield_certification import app, emulate

if __name__ == "__main__":
    if sys.argv[1:2] == ["emulate"]:
        sys.exit(emulate.main(sys.argv[2:]))
    app.main()
