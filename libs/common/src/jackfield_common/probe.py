"""`python -m jackfield_common.probe`: is the service on this machine's operations port ready?

For container health checks, where there is no curl. Exit status 0 when ready, else 1 with the reason.
"""

import http.client
import os
import sys


def main() -> int:
    """Ask `/health/ready` on JACKFIELD_OPS_PORT."""
    port = int(os.environ.get("JACKFIELD_OPS_PORT", "9180"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        body = answer.read(4096).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer on port {port}: {type(error).__name__}")
        return 1
    finally:
        connection.close()
    if answer.status != http.HTTPStatus.OK:
        print(body)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
