"""json"""
import json
def on_client_request(body):
    d = {"b": [1, 2.5, None, True, "é\n"], "a": {"x": []}, 3: float("inf")}
    out = [json.dumps(d), json.dumps(d["b"], ensure_ascii=False, separators=(",", ":")), json.dumps({"z": 1, "a": 2}, sort_keys=True, indent=2), json.loads('{"a": [1e3, -0, "\\u00e9\\ud83d\\ude00"]}')]
    try: json.loads('{"a": }')
    except json.JSONDecodeError as e: out.append((e.pos, e.lineno))
    try: json.dumps({1, 2})
    except TypeError as e: out.append(str(e)[:45])
    return repr(out)

# GET /
