"""What compilers say, in Python terms."""

import pytest

from dayfly.toolchain.compiled.messages import from_clang, from_pythran, python_type


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Unbound identifier foo", "app.py:3:5: `foo` is not defined, or no builtin of the compiled tier"),
        ("Attribute 'encode' unknown", "app.py:3:5: nothing on the compiled tier has `.encode`"),
        ("identifier 'comb' not found in module 'math'", "app.py:3:5: `math` has no `comb` on the compiled tier"),
        ("Something Pythran says.\nAnd more.", "app.py:3:5: something Pythran says. And more"),
    ],
)
def test_pythran_is_translated(said: str, meant: str) -> None:
    """Known sentences get ours; others are told in one line."""
    assert str(from_pythran(said, 3, 5)).startswith(meant)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (
            "x.hpp:1:2: error: static assertion failed due to 'x': dayfly: a reason; a hint\napp.py:7:1: note",
            "app.py:7: a reason; a hint",
        ),
        (
            "app.py:4:9: error: invalid operands to binary expression ('pythonic::types::str' and 'long long')\n",
            "app.py:4: an operator cannot take str and int; ",
        ),
        (
            "x.hpp:1:1: error: no viable conversion from 'types::list<int>' to 'double'\napp.py:2:1: note: here\n",
            "app.py:2: a value of type list stands where float is expected; ",
        ),
        ("x.hpp:1:1: error: what nobody understands\n", "app.py: types do not fit together here; "),
        ("", "app.py: types do not fit together here; "),
    ],
)
def test_clang_is_translated(said: str, meant: str) -> None:
    """No C++ is shown, and the line is the one of the program."""
    assert str(from_clang(said, "logs/x.log")).startswith(meant)


@pytest.mark.parametrize(
    ("cxx", "name"),
    [
        ("pythonic::types::str", "str"),
        ("pythonic::types::dict<pythonic::types::str, long long>", "dict"),
        ("pythonic::types::list<pythonic::types::str>", "list"),
        ("types::array_base<long long, 2, types::tuple_version>", "tuple"),
        ("pythonic::types::ndarray<double, pshape<long long>>", "a numpy array"),
        ("pythonic::types::none<pythonic::types::str>", "a value or None"),
        ("long long", "int"),
        ("double", "float"),
        ("bool", "bool"),
        ("mystery", "another type"),
    ],
)
def test_types_have_python_names(cxx: str, name: str) -> None:
    """The outermost decides."""
    assert python_type(cxx) == name
