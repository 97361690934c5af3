"""Run with the wheel alone: read every example, and every record of a file, with their models.

Prints what was read, by type. Ends with a traceback where a record cannot be read.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from orderflow_contract.envelope import read_headers
from orderflow_contract.example_files import load_examples
from orderflow_contract.schema_ids import load_schema, type_of_schema
from orderflow_contract.topics import TOPICS

read = Counter()
for example in load_examples():
    TOPICS[example.topic].models[example.type].model_validate(example.value)
    assert load_schema(example.type)["title"] == example.type
    read[f"example {example.type}"] += 1
for line in Path(sys.argv[1]).read_text("utf-8").splitlines():
    record = json.loads(line)
    topic = TOPICS[record["topic"]]
    if topic.incoming or not record["value"]:
        continue
    event = read_headers([(name, text.encode()) for name, text in record["headers"].items()])
    assert load_schema(event.data_schema)["$id"] == event.data_schema
    assert type_of_schema(event.data_schema) == event.type
    topic.models[event.type].model_validate_json(record["value"])
    read[f"{topic.name} {event.type}"] += 1
json.dump(read, sys.stdout)
