"""Every page on the demo's real year: what it shows, that it can be used, and that no fault of access is left."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.browser.conftest import BUILD, ROOT, TOKEN, opened

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.browser

IMAGES = ROOT / "docs" / "images"
LARGEST = 200_000
STORM = "feature?monitor=flights&feature=dep_delay&window=2013-02-08"
PAGES = {
    "overview": "",
    "monitor": "monitor?name=flights&windows=30",
    "monitor-year": "monitor?name=flights&windows=365",
    "feature": STORM,
    "compared": f"{STORM}&against=weekday:4",
    "categorical": "feature?monitor=flights&feature=carrier",
    "alerts": "alerts?state=all",
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_no_page_has_a_serious_fault_of_access(chromium: Any, year: str, name: str, scheme: str) -> None:
    """axe-core finds nothing serious on any page, in light and in dark; no page scrolls sideways as a whole."""
    with opened(chromium, bypass_csp=True, color_scheme=scheme) as page:
        settled(page, year + PAGES[name])
        assert faults(page) == []
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width


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
    """Acknowledge, snooze, silence, end that and resolve, each with who and why in the timeline."""
    settled(page, answered + "alerts")
    page.locator("tbody th a").first.click()
    form = page.locator("form", has=page.get_by_role("button", name="Acknowledge"))
    form.get_by_label("Comment").fill("the blizzard <b>Nemo</b>")
    form.get_by_label("Your name").fill("ada")
    form.get_by_role("button", name="Acknowledge").click()
    timeline = page.get_by_role("region", name="Timeline")
    assert "the blizzard <b>Nemo</b>" in timeline.inner_text()
    page.get_by_role("button", name="Snooze", exact=True).click()
    assert "snoozed" in timeline.inner_text()
    silence = page.locator("form", has=page.get_by_role("button", name="Silence"))
    silence.get_by_label("Why").fill("snow")
    silence.get_by_role("button", name="Silence").click()
    page.get_by_role("button", name="End the silence").click()
    form = page.locator("form", has=page.get_by_role("button", name="Resolve"))
    form.get_by_label("Comment").fill("thawed")
    form.get_by_role("button", name="Resolve").click()
    assert "thawed" in timeline.inner_text()
    assert page.get_by_role("button", name="Resolve").count() == 0


def test_the_token_is_asked_for_once(page: Any, guarded: str) -> None:
    """The login leads back to where its reader wanted to go, and their name stands at the top."""
    page.goto(guarded + STORM)
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
        links = page.eval_on_selector_all("main a[href]", "all => all.map(one => one.href.split('#')[0])")
        ours = [link for link in links if link.startswith(hostile) and "static" not in link]
        todo += ours[:: max(1, len(ours) // 6)]


def test_an_empty_database_says_what_to_do(page: Any, empty: str) -> None:
    """Before the first run each page says how to get something onto it."""
    settled(page, empty)
    assert "drift run MONITOR" in page.locator("main").inner_text()
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
    with opened(chromium, java_script_enabled=False) as page:
        page.goto(f"{written.as_uri()}#f1")
        assert page.locator("#f1").is_visible()


SHOTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "blizzard": (
        "year",
        "monitor?name=flights&windows=30&until=2013-02-17",
        {"viewport": {"width": 1180, "height": 700}},
    ),
    "overview": ("blizzard", "", {}),
    "feature": ("year", STORM, {}),
    "window": ("year", f"{STORM}&against=weekday:4#window", {}),
    "alerts": ("blizzard", "alerts", {}),
    "runs": ("blizzard", "runs?monitor=flights&window=2013-02-08", {}),
    "monitor-dark": ("year", "monitor?name=flights&windows=60&until=2013-04-01", {"color_scheme": "dark"}),
    "feature-phone": ("year", STORM, {"viewport": {"width": 390, "height": 844}}),
}


@pytest.mark.parametrize("name", SHOTS)
def test_pictures_for_the_documents(chromium: Any, request: pytest.FixtureRequest, name: str) -> None:
    """The pictures in the documents are of these pages as they are now, and small."""
    server, address, options = SHOTS[name]
    context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    page = context.new_page()
    settled(page, request.getfixturevalue(server) + address)
    page.wait_for_timeout(300)
    file = IMAGES / f"{name}.png"
    page.screenshot(path=str(file))
    context.close()
    assert file.stat().st_size <= LARGEST


def test_the_feature_page_is_soon_interactive(page: Any, year: str) -> None:
    """What the browser measured, for the record: from the request to the drawn chart."""
    settled(page, year + STORM)
    settled(page, year + STORM + "&windows=365")
    took = page.evaluate("performance.now()")
    (BUILD / "timing.json").write_text(json.dumps({"feature page, 365 windows, drawn (ms)": round(took)}))
    assert took > 0
