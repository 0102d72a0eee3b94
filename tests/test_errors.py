"""Messages for users read as sentences."""

from __future__ import annotations

import pytest

from understudy.errors import RecipeError, nearest


def test_a_message_says_where_what_got_wanted_and_what_to_do() -> None:
    error = RecipeError("it is wrong", where="stage.a", got=1, wanted="2", hint="Set it to 2.")
    assert str(error) == "stage.a: it is wrong. Got: 1. Wanted: 2. Set it to 2."


def test_a_question_ends_with_its_own_mark() -> None:
    error = RecipeError("there is no stage 'techer'", hint=nearest("techer", ["teacher"]))
    assert str(error) == "there is no stage 'techer'. Did you mean 'teacher'?"


@pytest.mark.parametrize(("got", "said"), [("", "Got: nothing."), (0, "Got: 0."), (None, "wrong.")])
def test_what_was_found_is_said_even_where_it_is_empty(got: object, said: str) -> None:
    assert str(RecipeError("wrong", got=got)).endswith(said)
