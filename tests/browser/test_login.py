"""The pages about oneself in a browser: narrow and wide, light and dark, by keyboard."""

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import PASSWORD

CONFIRM = "/admin/verification/preference/confirm/?next=/admin/verification/preference/"


@pytest.mark.parametrize("width", [390, 1280, 2560])
@pytest.mark.parametrize("address", ["/admin/verification/preference/", CONFIRM])
def test_the_page_fits_and_every_field_has_its_label(page: Page, address: str, width: int) -> None:
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(address)
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    for field in page.locator(".deed select, .deed input:not([type=hidden])").all():
        assert field.evaluate("each => each.labels.length") == 1


def test_the_password_is_given_by_keyboard_and_leads_back(page: Page) -> None:
    page.goto(CONFIRM)
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_label("Time zone").wait_for()
    assert page.url.endswith("/admin/verification/preference/")
    assert "next=" not in page.url
