"""Every example of the document (on standard input) fits the schema that shows it."""

import json
import sys

import jsonschema_rs

components = json.load(sys.stdin)["components"]
wrong = [
    f"{name}: {error.message} at {list(error.instance_path)}"
    for name, schema in components["schemas"].items()
    for example in schema["examples"]
    for error in jsonschema_rs.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": components}
    ).iter_errors(example)
]
sys.exit("\n".join(wrong) or None)
