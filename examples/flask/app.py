"""A Flask application as it would be written for any server: routes, a template, a form, a static file."""

import secrets

from flask import Flask, jsonify, redirect, render_template, request, url_for

app = Flask(__name__)

COLOURS = {"red": "#c0392b", "green": "#27ae60", "blue": "#2980b9"}


@app.get("/")
def index():
    return render_template("index.html", colours=COLOURS, name=request.args.get("name", "world"))


@app.get("/hello")
def hello():
    return "hello"


@app.get("/colours/<name>")
def colour(name):
    if name not in COLOURS:
        return jsonify(error=f"there is no colour {name}"), 404
    return jsonify(name=name, code=COLOURS[name])


@app.post("/guess")
def guess():
    return redirect(url_for("answer", right=request.form.get("colour") == secrets.choice(list(COLOURS))))


@app.get("/answer")
def answer():
    return "right" if request.args.get("right") == "True" else "wrong"
