"""A text with light markup, posted, comes back as HTML: # heading, - list, *emphasis*, `code`, paragraphs."""

HELP = """# Markup

Post a text here:

- `# heading`
- *emphasis* and `code`
- a paragraph ends with an empty line
"""


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def paired(text, mark, tag):
    """Put every second part between marks into a tag; a mark without its other half stays."""
    parts = text.split(mark)
    if len(parts) % 2 == 0:
        last = parts.pop()
        parts[-1] += mark + last
    out = ""
    for i, part in enumerate(parts):
        out += f"<{tag}>{part}</{tag}>" if i % 2 else part
    return out


def inline(text):
    return paired(paired(escaped(text), "`", "code"), "*", "em")


def block(lines):
    if lines[0].startswith("#"):
        level = min(len(lines[0]) - len(lines[0].lstrip("#")), 6)
        return f"<h{level}>{inline(lines[0].lstrip('#').strip())}</h{level}>"
    if all([line.startswith("- ") for line in lines]):
        return "<ul>" + "".join(["<li>" + inline(line[2:]) + "</li>" for line in lines]) + "</ul>"
    return "<p>" + inline(" ".join(lines)) + "</p>"


def html(text):
    blocks = []
    lines = []
    for line in text.splitlines() + [""]:
        line = line.strip()
        if line:
            lines.append(line)
        elif lines:
            blocks.append(block(lines))
            lines = []
    return "\n".join(blocks)


def on_client_request(method, body):
    if method == "POST":
        return "text/html; charset=utf-8", html(body)
    return "text/html; charset=utf-8", html(HELP)
