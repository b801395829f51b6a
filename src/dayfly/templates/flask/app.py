"""A Flask application, as it would be written for any server."""

from flask import Flask, jsonify, render_template, request

app = Flask(__name__)


@app.get("/")
def index():
    return render_template("index.html", name=request.args.get("name", "world"))


@app.get("/add/<int:a>/<int:b>")
def add(a, b):
    return jsonify(sum=a + b)
