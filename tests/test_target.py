"""The Memori that things come back into, as the mirror knows it."""

from sync.kinds import KINDS
from sync.mirror.journal import Journal
from sync.mirror.mirror import Mirror
from sync.target import Target


def test_a_state_equal_to_one_that_is_held_already_takes_no_room_twice(tmp_path):
    mirror = Mirror(f"sqlite:///{tmp_path}/mirror.db", KINDS)
    mirror.migrate()
    owner, agent = mirror.register_account("u", "owner"), mirror.register_memori("1", "Guide", "e1")
    people = [{"personID": key, "name": key} for key in "ab"]
    with mirror.staging(agent, mirror.start_snapshot(agent, 1, "manual")) as staging:
        staging.record(KINDS["person"], people)
        staging.commit([KINDS["person"]])
    target = Target(mirror, agent, owner, {"person": KINDS["person"]}, Journal(mirror, agent))
    first = target.live()
    again = target.live({**first, ("person", "b"): {"personID": "b", "name": "before"}})
    mirror.close()
    assert again == first == {("person", each["personID"]): each for each in people}
    assert again["person", "a"] is first["person", "a"]
