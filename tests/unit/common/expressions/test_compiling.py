"""A bad expression is refused when it is compiled, with its position."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackfield_common.expressions import Condition, ExpressionError, Transformation


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("event.event_type ==", 1, 20, "Syntax error"),
        ("true &&\n  evnt.x == 1", 2, 7, "undeclared reference to 'evnt.x'"),
        ("event.event_type.shout()", 1, 23, "undeclared reference to 'shout'"),
        ("'a' * 3 == ''", 1, 5, "no matching overload"),
        ("1 + 1", 1, 1, "true or false, this one is INT"),
        ("", 1, 1, "Syntax error"),
    ],
)
def test_a_bad_condition_says_where_and_why(text: str, line: int, column: int, says: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        Condition(text)
    assert (refused.value.line, refused.value.column) == (line, column)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("text", "line", "column", "says"),
    [
        ("{'text': }", 1, 10, "cannot be used as a unary operator"),
        ("{\n  'text': data..ref\n}", 2, 16, "Expected }"),
        ("{'text': 'abc", 1, 13, "terminated by a matching quote"),
        ("$foo(", 1, 5, "Expected )"),
        ("  ", 1, 1, "empty"),
        ("/(/", 1, 3, "regular expression"),
    ],
)
def test_a_bad_transformation_says_where_and_why(
    text: str, line: int, column: int, says: str
) -> None:
    with pytest.raises(ExpressionError) as refused:
        Transformation(text)
    assert (refused.value.line, refused.value.column) == (line, column)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "text", ["(" * 2_000 + "true" + ")" * 2_000, "true" + " && true" * 2_000], ids=["deep", "long"]
)
def test_a_condition_beyond_all_measure_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        Condition(text)


def test_a_transformation_nested_beyond_all_measure_is_refused() -> None:
    with pytest.raises(ExpressionError, match="nested too deeply"):
        Transformation("(" * 8_000 + "1" + ")" * 8_000)
    with pytest.raises(ExpressionError, match="longer than"):
        Transformation("1 + " * 5_000 + "1")


_SNIPPETS = st.lists(
    st.sampled_from(
        ["event", ".", "data", "(", ")", "[", "]", "{", "}", "'", '"', "/", "a", " ", "1", "==", "$",
         ":=", "function", "~>", "|", "%", "&&", ",", ":", "*", "**", "?", "\\", "`", "^", "@", "#",
         ";", "\n", "null", "true", "-", "9" * 20]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(_SNIPPETS | st.text(max_size=40))
def test_whatever_is_typed_either_compiles_or_is_refused(text: str) -> None:
    for language in (Condition, Transformation):
        refused = _refusal(language, text)
        assert refused is None or refused.message
        assert refused is None or refused.line is None or refused.line >= 1
        assert refused is None or refused.column is None or refused.column >= 1


def _refusal(language: Callable[[str], object], text: str) -> ExpressionError | None:
    try:
        language(text)
    except ExpressionError as error:
        return error
    return None
