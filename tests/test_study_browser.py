"""Whole sessions in a real browser, under a clock that the test moves."""

import random
from contextlib import closing
from itertools import pairwise
from threading import Thread

import pytest

from colorgan import serving
from colorgan.study import server
from colorgan.study.store import Store
from tests.test_study_folder import a_study

DISPLAY = 900 + 1000 + 600 + 1000  # ms from a loaded pair to the question
VISIBLE = """() => [...document.querySelectorAll(".slot")].map(slot => {
    const image = slot.querySelector("img");
    return Boolean(image) && image.checkVisibility({ visibilityProperty: true });
})"""
HIDE = """hidden => {
    Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
}"""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with closing(Store(a_study(tmp_path_factory.mktemp("browser") / "study"))) as store:
        yield store


@pytest.fixture(scope="module")
def address(store):
    """The address of a server in a thread of its own."""
    with serving.bind_socket("127.0.0.1", 0) as listener:
        running = server.make_server(store, listener)
        thread = Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        running.should_exit = True
        thread.join()


@pytest.fixture
def visit(chromium, address):
    """Opens the page as a new participant: visit(**options of the browser's context) -> a page whose clock stands."""
    contexts = []

    def visit(**options):
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(20_000)
        page.clock.install(time=0)
        page.goto(address)
        page.clock.pause_at(60_000)
        return page

    yield visit
    for context in contexts:
        context.close()


def loaded(page):
    """Waits until a pair is there, all decoded: its blank begins."""
    page.locator(".slot img").nth(1).wait_for(state="attached")


def asked(page):
    """Goes from a loaded pair to its question."""
    loaded(page)
    page.clock.run_for(DISPLAY)
    page.get_by_text("Which picture had fake colors?").wait_for()


def goes_on(page):
    """Waits for what follows an answer: the feedback, a loaded pair, or words."""
    page.locator(".slot img, .slot.chosen, #message:not([hidden])").first.wait_for(state="attached")
    if page.locator(".slot.chosen").count():
        page.clock.run_for(2400)


def whole_session(page, store, press, begin):
    """Answers all pairs by chance; returns what was pressed and what the store holds."""
    generator = random.Random(0)
    sides = [generator.choice(["left", "right"]) for _ in range(54)]
    begin(page)
    for number, side in enumerate(sides):
        if number == 10:
            page.get_by_text("That was the practice").wait_for()
            begin(page)
        if number == 30:
            page.reload()
            page.get_by_text("Welcome back").wait_for()
            begin(page)
        asked(page)
        press(page, side)
        goes_on(page)
    page.get_by_text("Thank you!").wait_for()
    session = page.evaluate("localStorage.getItem('colorgan-session')")
    return sides, [trial.answer for trial in store.trials(session)]


def test_a_session_by_keyboard_with_a_reload_in_the_middle(visit, store):
    keys = {"left": ["ArrowLeft", "1"], "right": ["ArrowRight", "2"]}
    pressed, recorded = whole_session(
        visit(),
        store,
        press=lambda page, side: page.keyboard.press(random.Random(side).choice(keys[side])),
        begin=lambda page: page.keyboard.press("Enter"),
    )
    assert recorded == pressed


def test_a_session_by_touch_on_a_phone(visit, store):
    phone = {"viewport": {"width": 375, "height": 740}, "has_touch": True, "is_mobile": True}
    pressed, recorded = whole_session(
        visit(**phone),
        store,
        press=lambda page, side: page.locator(f"#{side}").tap(),
        begin=lambda page: page.locator("#go").tap(),
    )
    assert recorded == pressed


@pytest.fixture
def page(visit):
    """At the first pair, loaded."""
    page = visit()
    page.get_by_role("button", name="Begin").click()
    loaded(page)
    return page


def after(page, ms):
    """Whether the left and the right picture are visible, so many ms later."""
    page.clock.run_for(ms)
    return page.evaluate(VISIBLE)


def test_each_picture_is_shown_for_one_second(page):
    none, left, right = [False, False], [True, False], [False, True]
    expected = {899: none, 900: left, 1899: left, 1900: none, 2499: none, 2500: right, 3499: right, 3500: none}
    times = pairwise([0, *expected])
    assert {end: after(page, end - begin) for begin, end in times} == expected


def test_no_question_before_the_second_picture_disappears(page):
    page.clock.run_for(DISPLAY - 1)
    assert page.locator("#question").inner_text() == ""


def test_a_key_does_nothing_before_the_question(page):
    page.clock.run_for(DISPLAY - 1)
    page.keyboard.press("ArrowLeft")
    page.clock.run_for(1)
    page.get_by_text("Which picture had fake colors?").wait_for()


def test_the_question_waits_without_a_limit(page):
    page.clock.run_for(DISPLAY)
    page.clock.fast_forward("10:00:00")
    assert page.get_by_text("Which picture had fake colors?").is_visible()


def test_practice_shows_for_2400_ms_which_was_fake(page, store):
    fake = store.trials(store.sessions()[-1].id)[0].fake
    page.clock.run_for(DISPLAY)
    page.locator(f"#{fake}").click()
    page.get_by_text("✓ Right").wait_for()
    assert page.locator(f"#{fake}").inner_text().split("\n") == ["Fake", "your answer"]
    page.clock.run_for(2399)
    assert page.get_by_text("✓ Right").is_visible()
    page.clock.run_for(1)
    assert not page.get_by_text("✓ Right").is_visible()


def test_a_pair_that_was_on_display_in_a_hidden_tab_comes_again(page):
    page.clock.run_for(1000)
    page.evaluate(HIDE, True)
    page.evaluate(HIDE, False)
    assert page.evaluate(VISIBLE) == [False, False]
    page.clock.run_for(DISPLAY)
    page.get_by_text("You were away").wait_for()
    page.keyboard.press(" ")
    asked(page)
    assert page.locator("#count").inner_text() == "Practice 1 of 10"


def test_a_pause_comes_after_the_pair(page):
    page.get_by_role("button", name="Pause").click()
    page.clock.run_for(DISPLAY)
    page.keyboard.press("1")
    goes_on(page)
    page.get_by_text("Take your time").wait_for()
    page.keyboard.press("Enter")
    loaded(page)
    assert page.locator("#count").inner_text() == "Practice 2 of 10"


def test_another_participant_begins_anew(page):
    page.reload()
    page.get_by_role("button", name="Start as another participant").click()
    page.get_by_role("heading", name="Which picture has fake colors?").wait_for()
    assert page.evaluate("localStorage.getItem('colorgan-session')") is None


def test_a_session_that_the_server_does_not_know_begins_anew(page):
    page.evaluate("localStorage.setItem('colorgan-session', 'nobody')")
    page.reload()
    page.get_by_role("heading", name="Which picture has fake colors?").wait_for()


def test_an_answer_that_does_not_arrive_is_sent_again(page, store):
    page.route("**/trials/0", lambda route: route.abort())
    page.clock.run_for(DISPLAY)
    page.keyboard.press("2")
    page.get_by_text("The server does not answer").wait_for()
    page.unroute("**/trials/0")
    page.keyboard.press("Enter")
    page.locator(".slot.chosen").wait_for()  # the feedback: "No connection" stays until the server has answered
    assert store.trials(store.sessions()[-1].id)[0].answer == "right"


@pytest.mark.parametrize("width, height", [(320, 568), (375, 740), (667, 375), (1280, 800)])
def test_nothing_has_to_be_scrolled_to(page, width, height):
    page.set_viewport_size({"width": width, "height": height})
    page.clock.run_for(DISPLAY)
    overflow = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert overflow[0] <= width and overflow[1] <= height


@pytest.mark.parametrize("width, height", [(320, 568), (375, 740), (1280, 800)])
def test_the_pictures_stay_where_they_are_when_the_question_comes(page, width, height):
    page.set_viewport_size({"width": width, "height": height})
    before = page.locator("#left").bounding_box()
    page.clock.run_for(DISPLAY)
    assert page.locator("#left").bounding_box() == before
