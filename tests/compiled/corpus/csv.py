"""a whole program: a table of texts, sorted"""
# POST / name,age|bob,42|ann,7
def on_client_request(body):
    lines = body.split("|")
    header = lines[0].split(",")
    rows = []
    for line in lines[1:]:
        row = {}
        for key, value in zip(header, line.split(",")):
            row[key] = value
        rows.append(row)
    rows.sort(key=lambda r: int(r["age"]))
    out = []
    for i, row in enumerate(rows, start=1):
        out.append("%d. %s (%s)" % (i, row["name"], row["age"]))
    return "\n".join(out) + str(rows)
