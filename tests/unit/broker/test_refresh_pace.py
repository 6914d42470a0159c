"""When TWS is asked for all orders again. No clock but the one that is passed."""

from execution.broker.ibkr.refresh_pace import GAP, LONGEST_REST, RefreshPace

EVERY = 120.0


def begun(at: float) -> RefreshPace:
    pace = RefreshPace(EVERY)
    assert pace.due(at)
    pace.began(at)
    return pace


def first(pace: RefreshPace, after: float) -> float:
    """When it is due, to a tenth of a second."""
    return next(after + n / 10 for n in range(5_000) if pace.due(after + n / 10))


def test_it_begins_at_once_and_then_every_so_often() -> None:
    pace = begun(100.0)
    pace.ended(100.0, 100.1, answered=True)
    assert first(pace, 100.1) >= 100.0 + EVERY


def test_what_is_wanted_comes_a_second_after_the_last_began() -> None:
    pace = begun(100.0)
    pace.ended(100.0, 100.1, answered=True)
    pace.want(100.2)
    assert GAP <= first(pace, 100.2) - 100.0 < GAP + 0.2


def test_none_begins_while_one_is_under_way() -> None:
    pace = begun(100.0)
    pace.want(101.0)
    assert not pace.due(130.0)
    pace.ended(100.0, 130.0, answered=True)
    assert first(pace, 130.0) <= 130.0 + LONGEST_REST + 0.2


def test_after_one_that_took_long_to_read_it_rests_as_long() -> None:
    pace = begun(100.0)
    pace.want(101.0)
    pace.ended(100.0, 104.0, answered=True)
    assert 107.9 <= first(pace, 104.0) <= 108.2


def test_a_question_without_an_answer_is_not_waited_for_again() -> None:
    pace = begun(100.0)
    pace.ended(100.0, 104.0, answered=False)
    pace.want(105.0)
    assert first(pace, 104.0) <= 105.2


def test_a_lost_connection_leaves_none_under_way() -> None:
    pace = begun(100.0)
    pace.lost()
    pace.want(103.0)
    assert first(pace, 103.0) <= 103.1


def test_what_is_wanted_after_the_beginning_is_not_forgotten() -> None:
    pace = RefreshPace(EVERY)
    assert pace.due(100.0)
    pace.want(100.5)  # the news of its beginning is still on its way
    pace.began(100.2)
    pace.ended(100.2, 100.6, answered=True)
    assert first(pace, 100.6) < 102.0
    assert not pace.due(102.5), "each is due once"
