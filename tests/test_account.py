"""The way in, against the sandbox: login, Giver sessions, and the trap of the wrong PIN."""

import pytest
import responses

from sync.api.account import Account, Agent, Credentials, is_giver
from sync.api.remote import Access
from sync.api.transport import Transport
from sync.document import Document
from sync.errors import AccessDenied, AccountRefused, BadAnswer
from sync.kind import Kind
from sync.kinds import KINDS
from sync.redact import Redactor
from sync.stop import Stop


@pytest.fixture
def connect(sandbox):
    """Make an account that is not logged in yet."""
    made = []

    def connect(**over) -> Account:
        owner = sandbox.world.account
        facts = {"tenant": owner.tenant, "user": owner.user_name, "password": owner.password}
        transport = Transport(sandbox.url, sandbox.url, redactor=Redactor(), stop=Stop(), retry_s=0)
        made.append(transport)
        return Account(transport, Credentials(**{**facts, **over}))

    yield connect
    for each in made:
        each.close()


@pytest.fixture
def account(connect):
    account = connect()
    account.log_in()
    return account


def test_a_login_by_name_or_e_mail_tells_whose_account_it_is(connect, world):
    for user in (world.account.user_name, world.account.email):
        account = connect(user=user)
        account.log_in()
        assert account.user_id == world.account.user_id


def test_a_ready_token_does_as_well_and_is_not_given_back(connect, account, sandbox, world):
    token = account.access.credential["token"]
    other = connect(token=token, password="")
    other.log_in()
    assert other.user_id == world.account.user_id
    other.log_out()
    assert token in sandbox.tokens


@pytest.mark.parametrize(
    ("over", "hint"),
    [
        ({"password": "wrong"}, "locks"),
        ({"user": "nobody"}, "`user`"),
        ({"tenant": "nowhere"}, "`tenant`"),
    ],
)
def test_refused_credentials_are_tried_once_only(connect, sandbox, over, hint):
    with pytest.raises(AccountRefused) as raised:
        connect(**over).log_in()
    assert hint in raised.value.hint
    assert raised.value.exit_code == 12
    assert len(sandbox.calls) == 1


@pytest.mark.parametrize("code", [-11, -14, -15, -38])
def test_codes_that_lock_an_account_stop_everything(connect, world, sandbox, code):
    world.account.login_refusal = code
    with pytest.raises(AccountRefused, match=str(code)):
        connect().log_in()
    assert len(sandbox.calls) == 1


def test_a_ready_token_that_ended_is_not_tried_again(connect):
    with pytest.raises(AccountRefused, match="ended"):
        connect(token="00000000-0000-4000-8000-000000000000").log_in()


KEY = "an application's key, which is long enough"


def test_an_application_that_the_site_trusts_logs_the_owner_in(connect, world, sandbox):
    world.account.trusted_app_key = KEY
    account = connect(user=world.account.email, password="", trusted_app_key=KEY)
    account.log_in()
    assert account.user_id == world.account.user_id
    assert [each.template for each in sandbox.calls] == ["/api/v2/LoginWithJWT"]
    account.log_out()
    assert not sandbox.tokens


@pytest.mark.parametrize(
    "over",
    [{"trusted_app_key": "another key, which is long enough, too"}, {"user": "other@example.org"}],
)
def test_an_application_that_is_refused_is_tried_once_only(connect, world, sandbox, over):
    world.account.trusted_app_key = KEY
    known = {"user": world.account.email, "password": "", "trusted_app_key": KEY, **over}
    with pytest.raises(AccountRefused) as raised:
        connect(**known).log_in()
    assert "key" in raised.value.hint
    assert KEY not in str(raised.value)
    assert len(sandbox.calls) == 1


@responses.activate
def test_a_user_that_the_site_made_because_it_knew_none_is_not_the_owner(connect, sandbox):
    stranger = {"userID": "u2", "eMail": "owner@example.net"}
    answer = {"requestID": 1, "resultCode": 0, "token": "t0ken", "user": stranger}
    responses.post(f"{sandbox.url}/api/v2/LoginWithJWT", json=answer)
    with pytest.raises(AccountRefused, match="another user"):
        connect(user="owner@example.org", password="", trusted_app_key=KEY).log_in()


def test_a_giver_session_is_opened_and_closed_whatever_happens(account, sandbox):
    (agent,) = account.agents()
    with pytest.raises(RuntimeError), account.giver(agent):
        assert len(sandbox.sessions) == 1
        raise RuntimeError
    assert not sandbox.sessions


def test_a_wrong_pin_opens_an_ordinary_session_which_is_closed_and_told(account, sandbox, world):
    world.agent("Guide").settings["giverPIN"] = "999999"
    (agent,) = account.agents()
    with pytest.raises(AccessDenied, match="not its Giver's"), account.giver(agent):
        pass
    assert not sandbox.sessions
    assert [each.method for each in sandbox.calls if "/Session" in each.template] == [
        "POST",
        "DELETE",
    ]


def test_a_private_agent_is_opened_with_its_secret_token(account, world):
    world.agent("Guide").settings.update(privacyType="PRIVATE", secretToken="t0ken-for-private")
    (agent,) = account.agents()
    with account.giver(agent) as access:
        assert access.page(KINDS["person"], 0, 10).count == 2


def test_a_secret_agent_needs_its_own_password(account, world):
    guide = world.agent("Guide")
    guide.settings["privacyType"] = "SECRET"
    guide.password = "own-password"
    (agent,) = account.agents()
    with pytest.raises(AccessDenied) as raised, account.giver(agent):
        pass
    assert "password_file" in raised.value.hint
    with account.giver(agent, "own-password"):
        pass


def test_a_co_author_finds_tag_and_pin_in_the_accepted_invitation():
    agent = Agent.of(
        {
            "memoriID": "1",
            "engineMemoriID": "2",
            "name": "Guide",
            "receivedInvitations": [
                {"type": "GIVER", "state": "PENDING", "tag": "x", "pin": "000000"},
                {"type": "GIVER", "state": "ACCEPTED", "tag": "🎓", "pin": "271828"},
            ],
        }
    )
    assert (agent.giver_tag, agent.giver_pin) == ("🎓", "271828")
    assert "271828" not in repr(agent)


def test_a_memori_without_its_engine_id_opens_no_session(account):
    agent = Agent.of({"name": "Guide", "memoriID": "1", "receivedInvitations": "none"})
    with pytest.raises(BadAnswer, match="engineMemoriID"), account.giver(agent):
        pass


@pytest.mark.parametrize(
    ("state", "is_it"),
    [
        ({"currentTag": "🎓", "currentTagAuthenticated": True}, True),
        ({"currentTag": "🎓", "currentTagAuthenticated": False}, False),
        ({"currentTag": "🎓"}, False),
        ({"currentTag": "👤", "currentTagAuthenticated": True}, False),
        (None, False),
    ],
)
def test_a_session_is_the_givers_only_if_its_state_says_so(state, is_it):
    assert is_giver(state, "🎓") is is_it
    assert not is_giver({"currentTag": "", "currentTagAuthenticated": True}, "")


def look(access: Access, kind: Kind, document: Document) -> Document | None:
    (found,) = access.find(kind, [document])
    return found


def test_objects_are_created_read_changed_and_removed_by_kind(account):
    (agent,) = account.agents()
    person, memory, medium = (KINDS[each] for each in ("person", "memory", "medium"))
    with account.giver(agent) as access:
        livia = {"personType": "Receiver", "name": "Livia", "pin": "000042", "tag": "🦉"}
        key = access.create(person, livia)
        access.update(person, {"personID": key, "name": "Livia B."})
        assert look(access, person, {"personID": key})["name"] == "Livia B."

        title = {"memoryType": "Question", "title": "Why?", "answers": [{"text": "Because."}]}
        parent = access.create(memory, title)
        child = {"memoryID": parent, "content": "note", "mimeType": "text/plain"}
        child["mediumID"] = access.create(medium, child)
        assert look(access, medium, child)["content"] == "note"

        access.delete(medium, child)
        access.delete(memory, {"memoryID": parent})
        access.delete(person, {"personID": key})
        access.delete(person, {"personID": key})
        assert look(access, person, {"personID": key}) is None


def test_what_is_not_found_is_proven_by_one_look_at_the_session(account, sandbox):
    (agent,) = account.agents()
    person = KINDS["person"]
    gone = [{"personID": f"gone {number}"} for number in range(20)]
    with account.giver(agent) as access:
        key = access.create(person, {"personType": "Receiver", "name": "Ada", "pin": "000042"})
        found = access.find(person, [*gone, {"personID": key}])
    assert [each and each["name"] for each in found] == [None] * 20 + ["Ada"]
    assert sum(each.template.endswith("/IsValid") for each in sandbox.calls) == 1


def test_what_a_session_says_that_ended_meanwhile_is_asked_again(account, sandbox):
    (agent,) = account.agents()
    person = KINDS["person"]
    with account.giver(agent) as access:
        key = access.create(person, {"personType": "Receiver", "name": "Ada", "pin": "000042"})
        sandbox.sessions.clear()
        found = access.find(person, [{"personID": "gone"}, {"personID": key}])
    assert [each and each["name"] for each in found] == [None, "Ada"]


def test_a_message_is_changed_by_the_key_in_its_body(account):
    (agent,) = account.agents()
    message = KINDS["localization_key"]
    with account.giver(agent) as access:
        access.update(message, {"key": "GOODBYE", "value": "Ciao"})
        assert look(access, message, {"key": "GOODBYE"})["value"] == "Ciao"


def test_a_file_is_uploaded_listed_changed_and_removed(account, world, tmp_path):
    (agent,) = account.agents()
    asset, access = KINDS["asset"], account.access
    place = {"memoriID": agent.memori_id}
    path = tmp_path / "plan"
    path.write_bytes(b"\x89PNG\r\n\x1a\n....")
    made = access.upload(asset, place, "plan.png", "image/png", path)
    access.update(asset, {**made, "originalFileName": "ground floor"})
    assert look(access, asset, made)["originalFileName"] == "ground floor"
    access.delete(asset, made)
    assert access.unpaged(asset).documents == [each.document for each in world.assets.values()]


def test_no_document_that_comes_out_holds_a_session_id(account, sandbox):
    (agent,) = account.agents()
    with account.giver(agent) as access:
        access.create(KINDS["person"], {"personType": "Receiver", "name": "A", "pin": "111111"})
        documents = access.page(KINDS["person"], 0, 10).documents
        (session,) = sandbox.sessions
    assert session not in str(documents)
    assert all(each["creationSessionID"].startswith("~") for each in documents)
