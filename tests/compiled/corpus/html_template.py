"""a whole program: an HTML template"""
# GET /?x
PAGE = """<html><body><h1>{{title}}</h1><ul>{{items}}</ul></body></html>"""
ITEMS = ["one", "two", "three"]
def render(template, values):
    for key, value in values.items():
        template = template.replace("{{" + key + "}}", value)
    return template
def on_client_request(query):
    items = "".join(["<li class=\"%s\">%s</li>" % ("odd" if i % 2 else "even", x) for i, x in enumerate(ITEMS)])
    return "text/html", render(PAGE, {"title": "Hi " + query, "items": items})
