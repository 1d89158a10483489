"""Every page on the demo's real year: what it shows, that it can be used, and that no fault of access is left."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.browser.conftest import BUILD, ROOT, TOKEN, opened

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.browser

IMAGES = ROOT / "docs" / "images"
WIDTHS = (1400, 400)
LARGEST = 80_000
STORM = "feature?monitor=flights&feature=dep_delay&window=2013-02-08"
PAGES = {
    "overview": "",
    "monitor": "monitor?name=flights&windows=30",
    "monitor-year": "monitor?name=flights&windows=365",
    "feature": STORM,
    "compared": f"{STORM}&against=weekday:4",
    "categorical": "feature?monitor=flights&feature=carrier",
    "pair": "pair?monitor=flights&a=air_time&b=arr_delay&window=2013-08-17",
    "pairs": "pairs?monitor=flights&window=2013-08-17",
    "alerts": "alerts?state=all",
    "alert": "alerts?state=all",
    "incident": "alerts?state=all",
    "notifications": "notifications",
    "runs": "runs?monitor=flights",
    "run": "runs?monitor=flights&window=2013-02-08",
    "api": "docs",
    "lost": "nothing/here",
}


def settled(page: Any, address: str) -> None:
    """Open an address; all that a page shows is in its first answer."""
    page.goto(address)


def faults(page: Any) -> list[str]:
    """Return the serious faults of access that axe-core finds."""
    page.evaluate((BUILD / "node_modules" / "axe-core" / "axe.min.js").read_text())
    found = page.evaluate("() => axe.run({resultTypes: ['violations']})")["violations"]
    return [
        f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:160]} ({len(each['nodes'])})"
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]


def reach(page: Any, server: str, name: str) -> None:
    """Open a page of `PAGES`; that of an alert or incident by a click, as nobody types its id."""
    settled(page, server + PAGES[name])
    if name in {"alert", "incident"}:
        page.locator("tbody th a" if name == "alert" else 'tbody a[href*="incident?id="]').first.click()
        page.wait_for_url(re.compile(f"{name}\\?id="))


def whole(page: Any) -> None:
    """No serious fault of access is left, at either width, and no page scrolls sideways as a whole."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_no_page_has_a_serious_fault_of_access(chromium: Any, year: str, name: str, scheme: str) -> None:
    """axe-core finds nothing serious on any page, in light and in dark."""
    with opened(chromium, bypass_csp=True, color_scheme=scheme) as page:
        reach(page, year, name)
        whole(page)


def test_forms_and_empty_pages_have_no_serious_fault_of_access(
    chromium: Any, guarded: str, blizzard: str, empty: str
) -> None:
    """Nor on the login, on an alert that waits for an answer, or before the first run."""
    with opened(chromium, bypass_csp=True) as page:
        settled(page, guarded)
        whole(page)
        reach(page, blizzard, "alert")
        page.get_by_label("Silence").check()
        whole(page)
        settled(page, empty)
        whole(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_pair_that_strayed_is_read_beside_what_is_usual(chromium: Any, hostile: str, scheme: str) -> None:
    """From the monitor's heatmap to both tables, which stand side by side, and one above the other on a phone."""
    with opened(chromium, bypass_csp=True, color_scheme=scheme) as page:
        settled(page, hostile + "monitor?name=paired")
        whole(page)
        page.set_viewport_size({"width": 1400, "height": 800})
        page.locator('#heatmap td.s-critical a[href*="b=late"]').first.click()
        page.wait_for_url(re.compile("pair\\?"))
        tables = page.locator(".joint table")
        assert tables.nth(0).bounding_box()["y"] == tables.nth(1).bounding_box()["y"]
        assert (
            tables.nth(1).locator("td.moved").count()
            == page.get_by_role("region", name="Cells").locator("tbody tr").count()
        )
        whole(page)
        assert tables.nth(0).bounding_box()["y"] < tables.nth(1).bounding_box()["y"]


def test_from_the_overview_to_the_evidence(page: Any, year: str) -> None:
    """Four clicks lead from the first page to the histogram of one window of one feature."""
    settled(page, year)
    page.get_by_role("link", name="flights", exact=True).click()
    page.locator("select[name=windows]").select_option("90")
    page.locator("select[name=having]").select_option("drifting")
    page.get_by_role("button", name="Show").click()
    assert "having=drifting" in page.url
    page.locator("td.s-critical a").first.click()
    page.wait_for_url(re.compile("feature"))
    assert page.locator(".plot > svg").is_visible()
    assert page.locator("svg.histogram").is_visible()
    assert page.locator("ul.words li").count() >= 2


def test_a_window_is_compared_with_another_reference(page: Any, year: str) -> None:
    """The form puts the other reference's numbers beside the report's."""
    settled(page, year + STORM)
    page.get_by_label("Compare this window with").select_option("baseline")
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url(re.compile("against=baseline"))
    assert "the baseline of 2013-01-01" in page.locator("#window").inner_text()


def test_a_click_on_the_chart_opens_the_window(page: Any, year: str) -> None:
    """Each column of the history is a way to its window, and says its numbers."""
    settled(page, year + "feature?monitor=flights&feature=dep_delay&windows=30&window=2013-12-10")
    column = page.locator(".plot a").nth(5)
    assert "nats" in column.locator("title").text_content()
    column.click()
    page.wait_for_url(lambda url: "window=" in url and "2013-12-10" not in url)


def test_the_heatmap_can_be_walked_with_the_keyboard(page: Any, year: str) -> None:
    """Arrow keys go from cell to cell, and each says what it stands for."""
    settled(page, year + PAGES["monitor"])
    cell = page.locator("#heatmap td a[tabindex='0']")
    cell.focus()
    before = cell.get_attribute("aria-label")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    after = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert before != after
    assert "nats" in after
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("feature"))


def test_every_number_is_there_without_javascript(chromium: Any, year: str) -> None:
    """Without scripts nothing is missing, the charts included."""
    with opened(chromium, java_script_enabled=False) as page:
        page.goto(year + STORM)
        assert page.locator(".plot > svg").is_visible()
        assert page.locator("svg.histogram").is_visible()
        assert page.locator("table.cells tbody tr").count() > 5
        page.goto(year + PAGES["monitor"])
        assert page.locator("#heatmap td a").count() > 100


def test_alerts_are_answered_by_hand(page: Any, answered: str) -> None:
    """Acknowledge, snooze, silence, end that and resolve, in one form, each with who and why in the timeline."""
    settled(page, answered + "alerts")
    page.locator("tbody th a").first.click()
    timeline, send = page.get_by_role("region", name="Timeline"), page.get_by_role("button", name="Answer")
    page.get_by_label("Comment").fill("the blizzard <b>Nemo</b>")
    page.get_by_label("Your name").fill("ada")
    assert not page.get_by_label("or to the end of").is_visible()
    send.click()
    assert "the blizzard <b>Nemo</b>" in timeline.inner_text()
    assert page.get_by_label("Your name").input_value() == "ada"
    page.get_by_label("Snooze").check()
    assert page.get_by_label("or to the end of").is_visible()
    assert not page.get_by_label("Features, or a pattern").is_visible()
    send.click()
    assert "snoozed" in timeline.inner_text()
    page.get_by_label("Silence").check()
    assert page.get_by_label("Features, or a pattern").is_visible()
    page.get_by_label("Comment").fill("snow")
    send.click()
    page.get_by_role("button", name="End the silence").click()
    page.get_by_label("Resolve").check()
    page.get_by_label("Comment").fill("thawed")
    send.click()
    assert "thawed" in timeline.inner_text()
    assert send.count() == 0


def test_a_theme_is_chosen_and_remembered(chromium: Any, year: str) -> None:
    """Light or dark beside the system's, from page to page, charts too; the system's alone without scripts."""

    def ground(page: Any) -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    with opened(chromium, color_scheme="light") as page:
        settled(page, year + STORM)
        light, ink = ground(page), "getComputedStyle(document.querySelector('.plot text')).fill"
        before = page.evaluate(ink)
        page.get_by_label("Theme").select_option("dark")
        dark = ground(page)
        assert dark != light
        page.wait_for_function(f"before => {ink} !== before", arg=before)
        page.goto(year)
        assert ground(page) == dark
        page.get_by_label("Theme").select_option("system")
        page.reload()
        assert ground(page) == light
    with opened(chromium, color_scheme="dark", java_script_enabled=False) as page:
        page.goto(year)
        assert not page.get_by_label("Theme").is_visible()
    with opened(chromium, color_scheme="dark") as page:
        page.goto(year)
        assert ground(page) == dark


@pytest.mark.parametrize("name", ["overview", "monitor", "alerts", "notifications", "runs", "run"])
def test_no_column_is_cut(chromium: Any, blizzard: str, name: str) -> None:
    """At 1,400 pixels every table stands whole; at 400 a row is a card, its severity and its reason in sight."""
    with opened(chromium) as page:
        for width in (1400, 400):
            page.set_viewport_size({"width": width, "height": 900})
            settled(page, blizzard + PAGES[name])
            wider = "all => all.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.ariaLabel)"
            cut = page.eval_on_selector_all(".scroll", wider)
            assert cut == (["Heatmap of features and windows"] if (name, width) == ("monitor", 400) else [])
        if name == "alerts":
            row = page.get_by_role("region", name="Alerts").locator("tbody tr").first
            for part in (row.locator(".badge").first, row.locator(".why")):
                box = part.bounding_box()
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= 400


def test_the_token_is_asked_for_once(page: Any, guarded: str) -> None:
    """The login leads back to where its reader wanted to go, and their name stands at the top."""
    page.goto(guarded + STORM)
    assert page.get_by_role("button", name="Sign out").count() == 0
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_label("Your name").fill("ada")
    with page.expect_navigation(wait_until="domcontentloaded"):
        page.get_by_role("button", name="Sign in").click()
    assert "feature" in page.url
    assert "ada" in page.locator("header").inner_text()
    page.get_by_role("button", name="Sign out").click()
    assert page.get_by_label("Token").is_visible()


@pytest.mark.parametrize("start", ["", "alerts?state=all", "runs", "monitor?name=flights"])
def test_hostile_names_are_text(page: Any, hostile: str, start: str) -> None:
    """From each page two links deep: no name is ever markup, and no dialog opens."""
    todo, seen = [hostile + start], set[str]()
    while todo and len(seen) < 12:
        address = todo.pop(0)
        if address in seen:
            continue
        seen.add(address)
        settled(page, address)
        assert page.locator("b, i:not(.swatch), script:not([src])").count() == 0
        # Of a link in a drawing `href` is no text.
        address_of = "one => new URL(one.getAttribute('href'), location).href.split('#')[0]"
        links = page.eval_on_selector_all("main a[href]", f"all => all.map({address_of})")
        ours = [link for link in links if link.startswith(hostile) and "static" not in link]
        todo += ours[:: max(1, len(ours) // 6)]


def test_an_empty_database_says_what_to_do(page: Any, empty: str) -> None:
    """Before the first run each page says how to get something onto it."""
    settled(page, empty)
    assert "drift init" in page.locator("main").inner_text()
    for name in ("alerts", "runs", "notifications"):
        settled(page, empty + name)
        assert page.locator(".empty").count() == 1


def test_a_report_opens_from_a_file(chromium: Any, databases: Path, tmp_path: Path) -> None:
    """`--html` writes a page that asks nobody for anything, prints, and has no serious fault of access."""
    import subprocess

    from tests.live.browser.conftest import PYTHON

    written = tmp_path / "out.html"
    lake = databases / "flights"
    days = [f"date={day}" for day in ("2013-02-01", "2013-02-08")]
    # A day against another: whatever tells the time is not to be compared, nor an identifier.
    without = [option for name in ("*date", "event_time", "tailnum") for option in ("--exclude", name)]
    command = [str(PYTHON), "-m", "drift", "compare", *days, *without, "--html", str(written)]
    subprocess.run(command, cwd=lake, check=True, capture_output=True)
    with opened(chromium, bypass_csp=True, faults=False) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(written.as_uri())
        assert asked == [written.as_uri()]
        assert page.locator("svg.histogram").count() > 2
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        assert faults(page) == []
        assert len(page.pdf()) > 10_000
        page.reload()
        page.screenshot(path=str(IMAGES / "report.png"))

        page.get_by_role("button", name="Feature").click()
        assert page.locator("thead [aria-sort]").inner_text().startswith("Feature")
        first = page.locator("tbody > tr:first-child > th button").first
        assert first.inner_text() == "air_time"
        first.press("Enter")
        assert first.get_attribute("aria-expanded") == "true"
        page.get_by_role("searchbox").fill("delay")
        assert page.locator("#found").inner_text().startswith("2 of ")
    with opened(chromium, java_script_enabled=False, faults=False) as page:
        page.goto(f"{written.as_uri()}#f1")
        assert page.locator("#f1").is_visible()


SHOTS = {
    "overview": ("blizzard", ""),
    "monitor": ("year", "monitor?name=flights&windows=30&until=2013-02-17"),
    "feature": ("year", STORM),
    "window": ("year", f"{STORM}&against=weekday:4#window"),
    "pair": ("year", f"{PAGES['pair']}#window"),
    "alerts": ("blizzard", "alerts"),
    "alert": ("blizzard", PAGES["alert"]),
    "incident": ("blizzard", PAGES["incident"]),
    "runs": ("blizzard", "runs?monitor=flights&window=2013-02-08"),
    "notifications": ("blizzard", "notifications"),
    "login": ("guarded", ""),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", SHOTS)
def test_pictures_for_the_documents(
    chromium: Any, request: pytest.FixtureRequest, name: str, width: int, scheme: str
) -> None:
    """The pictures in the documents are of these pages as they are now, and small."""
    server, address = SHOTS[name]
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    if name in {"alert", "incident"}:
        reach(page, request.getfixturevalue(server), name)
    else:
        settled(page, request.getfixturevalue(server) + address)
    page.wait_for_timeout(300)
    assert page.locator("h1").count() == 1, "no picture of an error"
    # Playwright itself knows only PNG, which takes three times as much.
    taken = context.new_cdp_session(page).send("Page.captureScreenshot", {"format": "webp", "quality": 80})
    picture = base64.b64decode(taken["data"])
    (IMAGES / "pages" / f"{name}-{width}-{scheme}.webp").write_bytes(picture)
    context.close()
    assert len(picture) <= LARGEST


def test_the_feature_page_is_soon_interactive(page: Any, year: str) -> None:
    """What the browser measured, for the record: from the request to the drawn chart."""
    settled(page, year + STORM)
    settled(page, year + STORM + "&windows=365")
    took = page.evaluate("performance.now()")
    (BUILD / "timing.json").write_text(json.dumps({"feature page, 365 windows, drawn (ms)": round(took)}))
    assert took > 0
