"""Write docs/events/ from the code: `make docs`. Refuses an incompatible change of a published schema."""

import json
import sys
from pathlib import Path

from jackfield_common.contracts import asyncapi, event_classes, incompatibilities, schema_of

EVENTS = Path(__file__).parent / "events"


def main() -> int:
    """Write the schemas and the AsyncAPI document; 1 when a published schema would break."""
    schemas = EVENTS / "schemas"
    schemas.mkdir(parents=True, exist_ok=True)
    broken: list[str] = []
    documents = {f"{event.__name__}.json": schema_of(event) for event in event_classes()}
    for name, document in documents.items():
        path = schemas / name
        if path.exists() and "--force" not in sys.argv:
            broken += incompatibilities(json.loads(path.read_text("utf-8")), document, name)
    if broken:
        print("Published schemas may only gain optional fields. New version of the topic, or undo:")
        print("\n".join(broken))
        return 1
    for stale in schemas.glob("*.json"):
        if stale.name not in documents:
            stale.unlink()
    for name, document in documents.items():
        (schemas / name).write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    (EVENTS / "asyncapi.json").write_text(json.dumps(asyncapi(), indent=2) + "\n", "utf-8")
    print(f"{len(documents)} schemas and asyncapi.json written to docs/events")
    return 0


if __name__ == "__main__":
    sys.exit(main())
