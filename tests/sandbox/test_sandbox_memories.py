"""Memories and the media on them."""

from __future__ import annotations

import pytest

MEMORIES = "/memori/v2/Memories/{s}"
MEMORY = "/memori/v2/Memory/{s}"


def question(**fields):
    return {"memoryType": "Question", "title": "Why?", "answers": [{"text": "So."}]} | fields


def text(content="c", **fields):
    return {"mimeType": "text/plain", "content": content} | fields


@pytest.fixture
def memory_id(giver):
    return giver.post(MEMORY, question(media=[text("one"), text("two")]))["memoryID"]


@pytest.fixture
def reader_id(giver):
    person = {"personType": "Receiver", "name": "Ada", "pin": "000001", "tag": "🦉"}
    return giver.post("/memori/v2/Person/{s}", person)["personID"]


@pytest.fixture
def show(giver, memory_id):
    return lambda: giver.get(f"{MEMORY}/{memory_id}")["memory"]


@pytest.fixture
def change(giver, memory_id):
    return lambda **fields: giver.patch(f"{MEMORY}/{memory_id}", fields)["resultCode"]


class TestMemories:
    def test_a_memory_is_read_back_as_sent(self, giver, reader_id):
        sent = question(
            titleVariants=["How come?"],
            answers=[{"text": "<p>So.</p>", "preformatted": True}, {"text": "Perhaps."}],
            receiverID=reader_id,
            date="2020-02-29T10:00:00Z",
            dateUncertaintyDays=3,
            placeName="Here",
            placeLatitude=44.5,
            hints=["And then?"],
            contextVarsToSet={"Room": "-"},
            tags=["a", "b"],
            conclusive=True,
        )
        memory_id = giver.post(MEMORY, sent)["memoryID"]
        memory = giver.get(f"{MEMORY}/{memory_id}")["memory"]
        answers = [{k: a[k] for k in ("text", "preformatted")} for a in memory["answers"]]
        assert answers == [
            {"text": "<p>So.</p>", "preformatted": True},
            {"text": "Perhaps.", "preformatted": None},
        ]
        plain = {name: memory[name] for name in sent if name != "answers"}
        assert plain == {name: value for name, value in sent.items() if name != "answers"}
        assert (memory["receiverTag"], memory["receiverName"]) == ("🦉", "Ada")
        assert memory["media"] == []
        assert memory["answers"][0]["creationSessionID"] == giver.secret

    @pytest.mark.parametrize(
        "wrong",
        [
            {"memoryType": None},
            {"memoryType": "Poem"},
            {"answers": []},
            {"answers": None},
            {"answers": [{"preformatted": True}]},
            {"answers": [{"text": ""}]},
            {"answers": "So."},
            {"title": 5},
            {"tags": [1]},
            {"contextVarsToSet": {"a": 1}},
            {"date": "yesterday"},
            {"conclusive": "yes"},
        ],
    )
    def test_a_malformed_memory_is_refused(self, giver, agent, wrong):
        assert giver.post(MEMORY, question(**wrong))["resultCode"] == 400
        assert not agent.memories

    def test_a_receiver_must_exist(self, giver, change):
        assert giver.post(MEMORY, question(receiverID="nobody"))["resultCode"] == 422
        assert change(receiverID="nobody") == 422

    def test_types_are_filtered_and_all_means_all(self, giver):
        for kind in ("Question", "Story", "Default", "CompletionDraft", "ExpertReference"):
            giver.post(MEMORY, question(memoryType=kind))
        counts = {
            name: giver.get(f"{MEMORIES}/{name}")["count"]
            for name in (
                "ALL",
                "ALL_WITHOUT_DRAFTS",
                "CONTENTS",
                "DEFAULTS",
                "DRAFTS",
                "EXPERT_REFERENCES",
            )
        }
        assert list(counts.values()) == [5, 4, 2, 1, 1, 1]
        assert giver.get(MEMORIES)["count"] == 2
        assert giver.get(f"{MEMORIES}/0/10")["count"] == 2
        page = giver.get(f"{MEMORIES}/3/10/ALL")
        assert (page["count"], len(page["memories"])) == (5, 2)
        assert giver.get(f"{MEMORIES}/0/10/SOME")["resultCode"] == 400

    def test_a_change_leaves_what_it_does_not_name(self, change, show, clock):
        before = show()
        clock.forward(minutes=1)
        assert change(title="Really?", hints=None) == 0
        changed = {"title": "Really?", "lastChangeTimestamp": "2026-03-01T12:01:00.000000Z"}
        assert show() == before | changed

    def test_answers_and_media_replace_the_whole_list(self, change, show):
        old = {medium["mediumID"] for medium in show()["media"]}
        assert change(answers=[{"text": "New."}], media=[text("three")]) == 0
        memory = show()
        assert [answer["text"] for answer in memory["answers"]] == ["New."]
        assert [medium["content"] for medium in memory["media"]] == ["three"]
        assert memory["media"][0]["mediumID"] not in old
        assert change(media=[]) == 0
        assert show()["media"] == []

    def test_answers_cannot_be_replaced_by_none(self, change, show):
        assert change(answers=[]) == 400
        assert len(show()["answers"]) == 1

    def test_clearing_values_clear(self, change, show, reader_id):
        full = {"receiverID": reader_id, "date": "2020-01-01T00:00:00", "dateUncertaintyDays": 2}
        place = {"placeName": "Here", "placeLatitude": 1.5, "placeUncertaintyKm": 3}
        assert change(**full, **place) == 0
        assert show()["receiverID"] == reader_id
        assert change(receiverID="-", date="0001-01-01T00:00:00", placeName="-") == 0
        memory = show()
        assert {memory[name] for name in [*full, *place, "receiverTag", "receiverName"]} == {None}

    def test_reading_is_counted_for_anyone(self, client, agent, memory_id, show):
        reader = client.with_secret(
            client.post("/memori/v2/Session", {"memoriID": agent.engine_id})["sessionID"]
        )
        for _ in range(2):
            assert reader.get(f"/memori/v2/MemoryAccess/{{s}}/{memory_id}")["resultCode"] == 0
        memory = show()
        assert memory["readOccurrences"] == 2
        assert memory["lastRead"] == "2026-03-01T12:00:00.000000Z"
        assert reader.get("/memori/v2/MemoryAccess/{s}/nothing")["resultCode"] == 404

    def test_marking_as_read_sets_only_the_time(self, change, show):
        assert change(markAsRead=True) == 0
        memory = show()
        assert memory["lastRead"] == "2026-03-01T12:00:00.000000Z"
        assert memory["readOccurrences"] == 0
        assert "markAsRead" not in memory

    def test_a_removed_memory_takes_its_media_along(self, giver, memory_id):
        assert giver.delete(f"{MEMORY}/{memory_id}")["resultCode"] == 0
        assert giver.get(f"{MEMORY}/{memory_id}")["resultCode"] == 404
        assert giver.get(f"/memori/v2/Media/{{s}}/{memory_id}")["resultCode"] == 404


@pytest.fixture
def media(memory_id):
    return f"/memori/v2/Media/{{s}}/{memory_id}"


@pytest.fixture
def medium(memory_id):
    return f"/memori/v2/Medium/{{s}}/{memory_id}"


class TestMedia:
    def test_media_are_listed_by_themselves_and_in_their_memory(self, giver, media, show):
        answer = giver.get(media)
        assert answer["media"] == show()["media"]
        assert "count" not in answer

    def test_a_memory_that_lists_no_media_can_get_some(self, giver, agent, memory_id, medium):
        del agent.memories[memory_id]["media"]
        assert giver.post(medium, text("one"))["resultCode"] == 0
        assert len(agent.memories[memory_id]["media"]) == 1

    def test_a_medium_is_added_at_the_end_with_an_id_of_the_remote(self, giver, media, medium):
        sent = text("three", mediumID="", title="T", properties={"executable": "true", "x": None})
        medium_id = giver.post(medium, sent)["mediumID"]
        last = giver.get(media)["media"][-1]
        assert last["mediumID"] == medium_id
        assert medium_id
        assert last["properties"] == {"executable": "true", "x": None}
        assert last["creationTimestamp"] == "2026-03-01T12:00:00.000000Z"
        assert giver.get(f"{medium}/{medium_id}")["medium"] == last

    def test_a_medium_changes_in_place(self, giver, medium, media, show, clock):
        first, second = giver.get(media)["media"]
        touched = show()["lastChangeTimestamp"]
        clock.forward(minutes=1)
        change = {"title": "Named", "content": None}
        assert giver.patch(f"{medium}/{first['mediumID']}", change)["resultCode"] == 0
        changed = {"title": "Named", "lastChangeTimestamp": "2026-03-01T12:01:00.000000Z"}
        assert giver.get(media)["media"] == [first | changed, second]
        assert show()["lastChangeTimestamp"] == touched

    def test_one_medium_or_all_are_removed(self, giver, medium, media):
        first, second = giver.get(media)["media"]
        assert giver.delete(f"{medium}/{first['mediumID']}")["resultCode"] == 0
        assert giver.get(media)["media"] == [second]
        assert giver.delete(media)["resultCode"] == 0
        assert giver.get(media)["media"] == []

    def test_what_is_unknown_is_not_found(self, giver, medium):
        for answer in (
            giver.get(f"{medium}/nothing"),
            giver.patch(f"{medium}/nothing", {"title": "x"}),
            giver.delete(f"{medium}/nothing"),
            giver.post("/memori/v2/Medium/{s}/nothing", text()),
        ):
            assert answer["resultCode"] == 404

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"content": "x"}, 400),
            ({"mimeType": "text/plain"}, 422),
            (text(url="https://example.org/"), 422),
            (text("x" * 10_241), 422),
            (text("è" * 5_121), 422),
            (text(properties={"executable": True}), 400),
            (text(properties={"size": 3}), 400),
            (text(properties="none"), 400),
            (text(5), 400),
        ],
    )
    def test_a_wrong_medium_is_refused_alone_and_in_a_memory(
        self, giver, medium, media, body, code
    ):
        assert giver.post(medium, body)["resultCode"] == code
        assert giver.post(MEMORY, question(media=[body]))["resultCode"] == code
        assert len(giver.get(media)["media"]) == 2

    def test_ten_kibibytes_of_text_are_allowed(self, giver, medium):
        assert giver.post(medium, text("è" * 5_120))["resultCode"] == 0

    def test_a_text_cannot_become_a_link(self, giver, medium, media):
        medium_id = giver.get(media)["media"][0]["mediumID"]
        for change in ({"url": "https://example.org/"}, {"url": "x", "content": None}):
            assert giver.patch(f"{medium}/{medium_id}", change)["resultCode"] == 422
        assert giver.get(media)["media"][0]["content"] == "one"

    def test_odd_urls_are_kept_verbatim(self, giver, medium):
        for url in ("rgb(255, 0, 0)", "https://example.org/a.png#1693\n", "cloud://a/b.png"):
            medium_id = giver.post(medium, {"mimeType": "image/png", "url": url})["mediumID"]
            assert giver.get(f"{medium}/{medium_id}")["medium"]["url"] == url
