"""Every case, in one table."""

from tests.hostile import bad_manners, bombs, broken_http, depths, leading_away, odd_values

CASES = {
    case.name: case
    for room in (leading_away, bombs, depths, odd_values, bad_manners, broken_http)
    for case in room.CASES
}
