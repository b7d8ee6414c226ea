"""JSON: documents are written and read again, changed, kept and dropped. Run with PYTHONMALLOC=malloc."""
import json

kept = []
total = 0
for turn in range(12):
    rows = [{"id": i, "name": f"name {i}", "tags": [f"tag {i * k % 911}" for k in range(8)], "at": [i / 3, i / 7]}
            for i in range(12000)]
    text = json.dumps({"turn": turn, "rows": rows})
    read = json.loads(text)
    for row in read["rows"][:: turn + 1]:
        row["name"] = row["name"].upper() + "!" * (turn * 7)
    kept.append(read)
    if len(kept) > 4:
        kept.pop(turn % 4)
    total += len(text) + len(json.dumps(kept[0]["rows"][-1]))
print(total, len(kept), sum(len(document["rows"]) for document in kept))
