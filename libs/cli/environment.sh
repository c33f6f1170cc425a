#!/bin/sh
# Find the newest Python that will do and let it create .venv. POSIX sh, nothing else assumed.
set -eu
checkout=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
for name in "${JACKFIELD_PYTHON:-}" python3.14 python3.13 python3.12 python3.11 python3 python; do
    [ -n "$name" ] || continue
    found=$(command -v "$name" 2>/dev/null) || continue
    if "$found" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        exec "$found" "$checkout/libs/cli/environment.py" "$checkout"
    fi
done
if command -v python3 >/dev/null 2>&1; then
    echo "error: Jackfield needs Python 3.11 or newer; python3 here is $(python3 -c 'import sys; print(sys.version.split()[0])')." >&2
else
    echo "error: Jackfield needs Python 3.11 or newer; there is no python3 on PATH." >&2
fi
echo "       Install one (apt install python3.11 python3.11-venv, dnf install python3.12, brew install python), or set JACKFIELD_PYTHON." >&2
exit 1
