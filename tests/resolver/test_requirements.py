"""What a tenant's file may say, and what is refused with its line."""

import pytest

from dayfly.errors import PackagesRefused
from dayfly.resolver import Wanted, read_requirements

DIGEST = "0" * 64


def read(text: str, name: str = "requirements.txt") -> tuple[Wanted, ...]:
    """Read one file."""
    return read_requirements({name: text.encode()})


def test_lines_become_values() -> None:
    """Names in one spelling, extras, versions, markers, digests; comments and empty lines are nothing."""
    text = f"""
        # what we need
        Flask[Async,dotenv] >=3, <4  # the framework
        jinja2==3.1.6 ; python_version > "3.8" \\
            --hash=sha256:{DIGEST}
        typing_Extensions
    """
    flask, jinja2, typing_extensions = read(text)
    assert flask == Wanted("flask", "requirements.txt:3", ("async", "dotenv"), "<4,>=3")
    assert jinja2 == Wanted(
        "jinja2", "requirements.txt:4", specifier="==3.1.6", marker='python_version > "3.8"', sha256=(DIGEST,)
    )
    assert typing_extensions.name == "typing-extensions"


def test_a_project_file_is_read_if_there_is_no_list() -> None:
    """Lines are found again; what else stands there is not looked at."""
    text = (
        '[project]\nname = "shop"\ndependencies = [\n  "flask>=3",\n  "bottle",\n]\n[tool.other]\nurl = "file:///etc"\n'
    )
    assert [(one.name, one.origin) for one in read(text, "pyproject.toml")] == [
        ("flask", "pyproject.toml:4"),
        ("bottle", "pyproject.toml:5"),
    ]
    both = {"requirements.txt": b"bottle\n", "pyproject.toml": text.encode()}
    assert [one.name for one in read_requirements(both)] == ["bottle"]
    assert read_requirements({"app.py": b""}) == ()
    assert read('[tool.x]\ny = "z"\n', "pyproject.toml") == ()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("--index-url http://evil.example/simple", "`--index-url`: packages come from the index that the operator"),
        ("--index-url=http://evil.example/simple", "`--index-url`: packages come from the index that the operator"),
        ("-i http://evil.example", "`-i`: packages come from the index that the operator chose; take the line out"),
        ("--extra-index-url http://evil.example", "`--extra-index-url`: packages come from the index"),
        ("--trusted-host evil.example", "`--trusted-host`: packages come from the index"),
        ("--find-links /srv", "`--find-links`: packages come from the index"),
        ("-r /etc/passwd", "`-r`: no other file is read; write its lines here"),
        ("-r/etc/passwd", "`-r/etc/passwd`: no other file is read"),
        ("--requirement more.txt", "`--requirement`: no other file is read"),
        ("-c constraints.txt", "`-c`: no other file is read"),
        ("-e .", "`-e`: nothing is installed from a directory"),
        ("--editable=git+https://x/y", "`--editable`: nothing is installed from a directory"),
        ("--no-binary :all:", "`--no-binary`: only wheels are taken"),
        ("--pre", "`--pre`: options are not taken from a program's source"),
        ("flask --global-option=x", "`--global-option`: options are not taken"),
        ("flask --index-url http://evil.example", "`--index-url`: packages come from the index"),
        ("git+https://evil.example/x.git", "is an address, and packages come from the operator's index"),
        ("flask @ https://evil.example/flask.whl", "is an address"),
        ("flask@file:///etc/passwd", "is an address"),
        ("https://evil.example/flask-1-py3-none-any.whl", "is an address"),
        ("file:///etc/passwd", "is an address"),
        ("file:flask", "is an address"),
        ("/etc/passwd", "is a path, and nothing is installed from files"),
        ("./wheels/flask.whl", "is a path"),
        ("..", "is a path"),
        ("flask-3.0-py3-none-any.whl", "is a path"),
        ("C:\\flask", "is a path"),
        ("flask==${VERSION}", "is no requirement: variables are not replaced"),
        ("flask ==", "is no requirement: "),
        ("flask>=3; os_name == ", "is no requirement: "),
        ("not a name", "is no requirement: "),
        ("flask --hash=md5:abc", "`--hash=md5:abc` is no SHA-256; write --hash=sha256:DIGEST"),
    ],
)
def test_what_is_no_name_is_refused_by_its_line(line: str, reason: str) -> None:
    """The message names file and line, shows what stands there, and says what to write."""
    with pytest.raises(PackagesRefused) as caught:
        read(f"bottle\n\n{line}\n")
    assert str(caught.value).startswith("requirements.txt:3: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[project]\ndependencies = 3\n", "`project.dependencies` is no list of texts"),
        ('[project]\ndynamic = ["dependencies"]\n', "`dependencies` cannot be dynamic"),
        ("[project\n", "not valid TOML"),
        ("project = 3\n", "`project.dependencies` is no list of texts"),
        ('[project]\ndependencies = ["x @ file:///etc/passwd"]\n', "pyproject.toml:2: `x @ file:///etc/passwd` is an"),
    ],
)
def test_a_project_file_is_held_to_the_same_rules(text: str, reason: str) -> None:
    """It is data as well."""
    with pytest.raises(PackagesRefused, match=r"pyproject\.toml") as caught:
        read(text, "pyproject.toml")
    assert reason in str(caught.value)


def test_files_have_bounds() -> None:
    """Octets, and packages."""
    with pytest.raises(PackagesRefused, match=r"requirements.txt: more than 1 MiB"):
        read("#" * (1 << 20) + "\n")
    with pytest.raises(PackagesRefused, match=r"requirements.txt:201: more than 200 packages"):
        read("".join(f"package{number}\n" for number in range(201)))
    with pytest.raises(PackagesRefused, match=r"requirements.txt:2: not UTF-8"):
        read_requirements({"requirements.txt": b"flask\n\xff\n"})


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (" " * (900 << 10) + "x", "more than 64 KiB; make it shorter"),
        ("\\\n" * 300_000, "more than 64 KiB; make it shorter"),
        ("x; " + "(" * 1500 + 'os_name == "a"' + ")" * 1500, "is no requirement: "),
        ("x==" + "1" * 5000, "more than 4 KiB; make it shorter"),
        ('x; extras == "a"', "is no requirement: "),
    ],
    ids=["spaces", "joined", "nested", "long", "marker"],
)
def test_hostile_lines_are_refused_at_once(text: str, reason: str) -> None:
    """Whatever would take an expression or a parser long, or too deep."""
    with pytest.raises(PackagesRefused, match=r"^requirements.txt:1: ") as caught:
        read(text)
    assert reason in str(caught.value)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("a = " + "1" * 10_000, "Exceeds the limit"),
        ("a" + ".a" * 100_000 + " = 1", "more than 200 dots (at line 1)"),
        ("#" * (300 << 10), "more than 256 KiB"),
    ],
    ids=["nested", "number", "dots", "large"],
)
def test_hostile_project_files_are_refused_at_once(text: str, reason: str) -> None:
    """They are looked at by the process that serves."""
    with pytest.raises(PackagesRefused, match=r"^pyproject.toml: not valid TOML: ") as caught:
        read(text, "pyproject.toml")
    assert reason in str(caught.value)
