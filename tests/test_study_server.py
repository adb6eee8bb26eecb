from contextlib import closing

import pytest
from starlette.testclient import TestClient

from colorgan import serving
from colorgan.errors import UserError
from colorgan.study import server
from colorgan.study.store import Store
from tests.test_study_folder import a_study


@pytest.fixture
def study(tmp_path):
    return a_study(tmp_path / "study")


@pytest.fixture
def store(study):
    with closing(Store(study)) as store:
        yield store


@pytest.fixture
def client(store):
    with TestClient(server.make_app(store, serving.LOOPBACK_HOSTS), base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
def session(client):
    return client.post("/api/sessions", json={}).json()["session"]


def at(session, trial, end=""):
    return f"/api/sessions/{session}/trials/{trial}{end}"


def answer_up_to(store, session, end):
    """Answer all pairs before `end` correctly."""
    for number, trial in enumerate(store.trials(session)[:end]):
        store.record_answer(session, number, trial.fake)


def test_the_page_loads_nothing_from_other_hosts(client):
    page = client.get("/").text
    assert not [word for word in ("http:", "https:", "//cdn", "@import", "url(", "src=") if word in page]


def test_the_content_security_policy_forbids_other_hosts(client):
    assert "default-src 'none'" in client.get("/").headers["content-security-policy"]


def test_a_new_session_says_what_the_page_needs(client):
    response = client.post("/api/sessions", json={})
    state = response.json()
    assert response.status_code == 201
    assert state.pop("session")
    times = {"before_ms": 900, "shown_ms": 1000, "between_ms": 600, "feedback_ms": 2400}
    assert state == {"size": 16, "practice": 10, "total": 54, "next": 0, "result": None, **times}


def test_a_session_goes_on_where_it_was(client, store, session):
    answer_up_to(store, session, 17)
    assert client.get(f"/api/sessions/{session}").json()["next"] == 17


def test_a_practice_answer_says_which_was_fake(client, store, session):
    fake = store.trials(session)[0].fake
    reply = client.post(at(session, 0), json={"fake": "left"}).json()
    assert reply == {"recorded": True, "answer": "left", "next": 1, "fake": fake}


@pytest.mark.parametrize("kind", ["scored", "vigilance"])
def test_other_answers_do_not_name_the_fake(client, store, session, kind):
    number = next(n for n, trial in enumerate(store.trials(session)) if trial.kind == kind)
    answer_up_to(store, session, number)
    assert client.post(at(session, number), json={"fake": "left"}).json() == {
        "recorded": True,
        "answer": "left",
        "next": number + 1,
    }


def test_a_second_answer_is_not_recorded(client, store, session):
    client.post(at(session, 0), json={"fake": "left"})
    reply = client.post(at(session, 0), json={"fake": "right"}).json()
    assert (reply["recorded"], reply["answer"], reply["next"]) == (False, "left", 1)


def test_no_pair_is_answered_before_its_turn(client, session):
    response = client.post(at(session, 5), json={"fake": "left"})
    assert (response.status_code, response.json()) == (409, {"error": "trial 0 comes first"})


def test_a_complete_session_has_a_result(client, store, session):
    answer_up_to(store, session, 53)
    last = store.trials(session)[53]
    client.post(at(session, 53), json={"fake": "left" if last.fake == "right" else "right"})
    state = client.get(f"/api/sessions/{session}").json()
    assert (state["next"], state["result"]) == (None, {"scored": 40, "fooled": int(last.kind == "scored")})


@pytest.mark.parametrize("kind", ["practice", "scored", "vigilance"])
def test_a_pair_is_the_real_picture_and_its_fake(client, store, study, session, kind):
    number, trial = next((n, trial) for n, trial in enumerate(store.trials(session)) if trial.kind == kind)
    real = {"left": "right", "right": "left"}[trial.fake]
    fake = study.root / f"pictures/{'random' if kind == 'vigilance' else 'gan'}/{trial.picture:04d}.png"
    assert client.get(at(session, number, f"/{trial.fake}.png")).content == fake.read_bytes()
    assert client.get(at(session, number, f"/{real}.png")).content == study.real_path(trial.picture).read_bytes()


def test_headers_do_not_reveal_the_fake(client, session):
    left, right = (dict(client.get(at(session, 0, f"/{side}.png")).headers) for side in ("left", "right"))
    assert left.pop("content-length") and right.pop("content-length")
    assert left == right
    assert set(left) == {"cache-control", "content-type", "referrer-policy", "x-content-type-options"}


def test_pictures_are_not_cached(client, session):
    assert client.get(at(session, 0, "/left.png")).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/api/sessions/nobody",
        "/api/sessions/nobody/trials/0/left.png",
        "/api/sessions/{}/trials/54/left.png",
        "/api/sessions/{}/trials/-1/left.png",
        "/api/sessions/{}/trials/00/left.png",
        "/api/sessions/{}/trials/" + "9" * 5000 + "/left.png",
        "/api/sessions/{}/trials/0/fake.png",
        "/api/sessions/{}/trials/0/..%2F..%2Fstudy.json",
    ],
)
def test_what_is_not_there_is_404_in_json(client, session, path):
    response = client.get(path.format(session))
    assert response.status_code == 404
    assert response.json()["error"]


@pytest.mark.parametrize("end", ["/sessions/nobody/trials/0", "/sessions/{}/trials/54"])
def test_no_answer_goes_to_what_is_not_there(client, session, end):
    assert client.post("/api" + end.format(session), json={"fake": "left"}).status_code == 404


@pytest.mark.parametrize(
    "body", ["", "fake=left", "[]", '"left"', "{}", '{"fake": "both"}', '{"fake": ["left"]}', "[" * 99999, "\xff"]
)
def test_a_malformed_answer_is_400_and_not_kept(client, store, session, body):
    data = body.encode("latin-1")
    response = client.post(at(session, 0), content=data, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]
    assert store.trials(session)[0].answer is None


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_of_another_site_cannot_answer(client, store, session, kind):
    response = client.post(at(session, 0), content=b'{"fake": "left"}', headers={"content-type": kind})
    assert response.status_code == 400
    assert store.trials(session)[0].answer is None


def test_an_unknown_host_header_is_refused(client):
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:8000"])
def test_loopback_host_headers_are_accepted(client, host):
    assert client.get("/", headers={"host": host}).status_code == 200


def test_a_wrong_method_is_refused_in_json(client):
    assert client.get("/api/sessions").json() == {"error": "Method Not Allowed"}


def test_a_port_in_use_is_one_line():
    with serving.bind_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=rf"--port {port}: Address already in use; choose another --port"):
            serving.bind_socket("127.0.0.1", port)


def test_a_host_of_another_machine_is_one_line():
    with pytest.raises(UserError, match=r"--host 192\.0\.2\.1 "):
        serving.bind_socket("192.0.2.1", 0)
