"""Answers every request with what it was asked."""


def on_client_request(path, args):
    name = args.get("name", "world")
    return f"hello, {name}: you asked for {path}\n"
