"""A Bottle application: a template, a form, a signed cookie."""

from pathlib import Path

from bottle import TEMPLATE_PATH, Bottle, redirect, request, response, template

TEMPLATE_PATH.insert(0, str(Path(__file__).with_name("views")))

app = Bottle()


@app.get("/")
def index():
    return template("index", names=request.query.getall("name") or ["world"])


@app.get("/hello")
def hello():
    response.content_type = "text/plain"
    return "hello"


@app.post("/remember")
def remember():
    response.set_cookie("name", request.forms.getunicode("name", ""), secret="change me", path="/")
    redirect("name")


@app.get("/name")
def name():
    return {"name": request.get_cookie("name", secret="change me")}
