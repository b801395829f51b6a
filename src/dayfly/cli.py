"""Words on the command line, one function call each."""

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def dayfly() -> None:
    """Serve many untrusted programs, each request in a sandbox of its own."""


def main() -> None:
    """Run the command line."""
    app()
