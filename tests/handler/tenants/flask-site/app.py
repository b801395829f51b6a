"""What a Flask application commonly does."""

import io

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    flash,
    get_flashed_messages,
    g,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    send_file,
    session,
    stream_with_context,
    url_for,
)
from markupsafe import Markup

app = Flask(__name__)
app.secret_key = "only for tests"
app.config["MAX_FORM_MEMORY_SIZE"] = 1_000_000

shop = Blueprint("shop", __name__, url_prefix="/shop")


class Teapot(Exception):
    pass


@app.before_request
def remember():
    g.seen = request.headers.get("X-Seen", "nobody")


@app.after_request
def sign(response):
    response.headers["X-Seen"] = g.seen
    return response


@app.get("/")
def index():
    return "hello from Flask"


@app.get("/json")
def as_json():
    return {"text": "ü", "numbers": [1, 2.5, None, True], "nested": {"a": []}}


@app.get("/list")
def as_list():
    return [1, "two", {"three": 3}]


@app.get("/status")
def with_status():
    return "made", 201, {"X-Made": "yes", "Location": "/status/1"}


@app.get("/greet/<name>")
def greet(name):
    return f"hello, {name}"


@app.get("/number/<int:number>")
def number(number):
    return jsonify(twice=number * 2)


@app.get("/float/<float:number>")
def half(number):
    return jsonify(half=number / 2)


@app.get("/uuid/<uuid:identity>")
def identity(identity):
    return f"{identity.version} {identity}"


@app.get("/files/<path:rest>")
def rest(rest):
    return rest


@app.get("/slash/")
def slash():
    return "with a slash"


@app.get("/query")
def query():
    return jsonify(args=request.args.to_dict(flat=False), raw=request.query_string.decode())


@app.route("/echo", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def echo():
    return jsonify(
        method=request.method,
        path=request.path,
        script_root=request.script_root,
        base_url=request.base_url,
        host=request.host,
        scheme=request.scheme,
        agent=request.headers.get("User-Agent"),
        many=request.headers.get("X-Many"),
        length=request.content_length,
        type=request.content_type,
        body=request.get_data(as_text=True),
    )


@app.post("/parse")
def parse():
    return jsonify(got=request.get_json())


@app.post("/form")
def form():
    return jsonify(form=request.form.to_dict(flat=False))


@app.post("/upload")
def upload():
    return jsonify(
        form=request.form.to_dict(flat=False),
        files=[
            [name, file.filename, file.content_type, len(content := file.read()), content[:20].decode("latin-1")]
            for name, file in request.files.items(multi=True)
        ],
    )


@app.post("/stream-in")
def stream_in():
    pieces, total = 0, 0
    while piece := request.stream.read(1000):
        pieces += 1
        total += sum(piece)
    return f"{pieces} {total}"


@app.post("/lines")
def lines():
    return jsonify([line.decode() for line in request.stream])


@app.get("/page")
def page():
    items = [{"name": "<one>", "price": 1.5}, {"name": "two & three", "price": 23}]
    return render_template("page.html", items=items, safe=Markup("<b>bold</b>"))


@app.get("/cookies")
def cookies():
    response = make_response(jsonify(request.cookies))
    response.set_cookie("plain", "value", max_age=60)
    response.set_cookie("strict", "a b;c", secure=True, httponly=True, samesite="Strict", path="/cookies")
    response.delete_cookie("old")
    return response


@app.get("/count")
def count():
    session["count"] = session.get("count", 0) + 1
    return str(session["count"])


@app.post("/note")
def note():
    flash(request.form["text"])
    return redirect(url_for("notes"))


@app.get("/notes")
def notes():
    return jsonify(get_flashed_messages())


@app.get("/away")
def away():
    return redirect("https://example.org/else?where=ü", 308)


@app.get("/links")
def links():
    return jsonify(
        [url_for("greet", name="a b/ü"), url_for("static", filename="site.css"), url_for("index", _external=True)]
    )


@app.get("/stream")
def stream():
    def generate():
        yield "<"
        for name in request.args.getlist("name"):
            yield name
        yield ">"

    return Response(stream_with_context(generate()), mimetype="text/plain")


@app.get("/repeat")
def repeat():
    response = Response(b"\x00\xff", mimetype="application/octet-stream")
    response.headers.add("X-Many", "one")
    response.headers.add("X-Many", "two")
    response.headers["X-Latin"] = "gr\xfcn"
    return response


@app.get("/download")
def download():
    return send_file(io.BytesIO(b"a,b\n1,2\n"), mimetype="text/csv", as_attachment=True, download_name="tabelle ü.csv")


@app.get("/etag")
def etag():
    response = make_response("the same")
    response.set_etag("one")
    return response.make_conditional(request)


@app.get("/empty")
def empty():
    return "", 204


@app.get("/forbidden")
def forbidden():
    abort(403, "not for you")


@app.get("/teapot")
def teapot():
    raise Teapot("short and stout")


@app.errorhandler(Teapot)
def handle_teapot(error):
    return {"error": str(error)}, 418


@app.errorhandler(404)
def handle_missing(error):
    return f"nothing at {request.path}", 404


@app.get("/fail")
def fail():
    return 1 / 0


@shop.get("/")
def shop_index():
    return url_for(".item", number=3)


@shop.get("/item/<int:number>")
def item(number):
    return {"item": number, "endpoint": request.endpoint}


app.register_blueprint(shop)
