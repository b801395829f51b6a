"""What a Bottle application commonly does."""

import os

import bottle
from bottle import abort, redirect, request, response, static_file, template

HERE = os.path.dirname(os.path.abspath(__file__))
bottle.TEMPLATE_PATH.insert(0, os.path.join(HERE, "views"))

app = bottle.Bottle()
SECRET = "only for tests"


@app.get("/")
def index():
    return "hello from Bottle"


@app.get("/json")
def as_json():
    return {"text": "ü", "numbers": [1, 2.5, None]}


@app.get("/greet/<name>")
def greet(name):
    return template("hello, {{name}}", name=name)


@app.get("/number/<number:int>")
def number(number):
    return str(number * 2)


@app.get("/match/<word:re:[a-z]+>")
def match(word):
    return word[::-1]


@app.get("/query")
def query():
    return {"all": request.query.getall("a"), "one": request.query.get("b", "none"), "text": request.query.getunicode("u")}


@app.route("/echo", method=["GET", "POST", "PUT", "DELETE"])
def echo():
    return {
        "method": request.method,
        "path": request.path,
        "script": request.script_name,
        "url": request.url,
        "agent": request.get_header("User-Agent"),
        "body": request.body.read().decode("latin-1"),
    }


@app.post("/form")
def form():
    return {"name": request.forms.getunicode("name"), "tags": request.forms.getall("tag")}


@app.post("/upload")
def upload():
    file = request.files.get("file")
    return {"name": file.raw_filename, "type": file.content_type, "bytes": len(file.file.read()), "text": request.forms.get("text")}


@app.post("/parse")
def parse():
    return {"got": request.json}


@app.get("/page")
def page():
    return template("page", items=["<one>", "two"], title="Page")


@app.get("/cookies")
def cookies():
    response.set_cookie("plain", "value", max_age=60, path="/")
    response.delete_cookie("old")
    return {"plain": request.get_cookie("plain"), "other": request.get_cookie("other")}


@app.get("/signed")
def signed():
    count = int(request.get_cookie("count", secret=SECRET) or 0) + 1
    response.set_cookie("count", str(count), secret=SECRET, path="/")
    return str(count)


@app.get("/away")
def away():
    redirect("/greet/you")


@app.get("/forbidden")
def forbidden():
    abort(403, "not for you")


@app.get("/static/<name:path>")
def static(name):
    return static_file(name, root=os.path.join(HERE, "static"))


@app.get("/stream")
def stream():
    response.content_type = "text/plain; charset=utf-8"
    yield "one,"
    yield "zwei ü,"
    yield "three"


@app.get("/bytes")
def as_bytes():
    response.set_header("X-One", "1")
    response.add_header("X-Many", "a")
    response.add_header("X-Many", "b")
    response.status = "202 Taken"
    return b"\x00\xff"


@app.error(404)
def missing(error):
    return f"nothing at {request.path}"


@app.get("/fail")
def fail():
    return {}["nothing"]
