"""cookies"""
from http import cookies, HTTPStatus
def on_client_request():
    c = cookies.SimpleCookie("a=1; b=\"x y\"")
    c["s"] = "v"; c["s"]["path"] = "/"; c["s"]["httponly"] = True
    return repr([c["a"].value, c["b"].value, c["s"].OutputString(), HTTPStatus(404).phrase, HTTPStatus.OK == 200])

# GET /
