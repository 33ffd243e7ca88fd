"""The API's reader in a real browser, under its policy; the page fixture fails on complaints."""

from playwright.sync_api import Page, expect


def test_the_reader_shows_every_operation_and_its_policy_blocks_nothing(page: Page) -> None:
    page.goto("/api/docs/")
    expect(page.locator(".opblock")).to_have_count(14)
    page.locator(".opblock-summary-control").first.click()
    expect(page.get_by_text("Try it out")).to_be_visible()
    page.wait_for_load_state("networkidle")
