"""The sandbox's own pages: an index for people, its request log for programs."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from html import escape

from verification.sandbox.request_log import LoggedRequest
from verification.sandbox.scenarios import SCENARIOS, Scenario

STYLE = """
:root { color-scheme: light dark; --ink: #1b2430; --quiet: #526071; --line: #d9dee5;
  --ground: #ffffff; --code: #eef2f6; --accent: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ecf2; --quiet: #a9b6c5;
  --line: #344150; --ground: #12181f; --code: #1f2a36; --accent: #7db8f5; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin-top: 2rem; }
p { color: var(--quiet); } a { color: var(--accent); }
code { background: var(--code); padding: .1em .35em; border-radius: 4px;
  overflow-wrap: anywhere; color: var(--ink); }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .4rem .6rem .4rem 0;
  border-bottom: 1px solid var(--line); }
"""


def index() -> bytes:
    """Return the index page: how to ask for a scenario, and which there are."""
    verify = [each for each in SCENARIOS.values() if each.endpoint == "verify"]
    token = [each for each in SCENARIOS.values() if each.endpoint == "get_biz_token"]
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>FaceID sandbox</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/style.css"></head><body>
<h1>FaceID sandbox</h1>
<p>The vendor's side of App-Verify 3.0.0, for development. No data here is real.</p>
<p>Put <code>sandbox:NAME</code> or <code>sandbox:NAME:ARGUMENT</code> anywhere into
<code>biz_no</code> or <code>uuid</code> of get_biz_token; without it every attempt succeeds.
What was received: <a href="/_sandbox/requests">request log</a>.</p>
<h2>At verify</h2>{_table(verify)}
<h2>At get_biz_token</h2>{_table(token)}
</body></html>"""
    return page.encode()


def _table(scenarios: Iterable[Scenario]) -> str:
    rows = "".join(
        f"<tr><td><code>sandbox:{escape(each.name)}</code></td><td>{escape(_told(each))}</td></tr>"
        for each in scenarios
    )
    heads = '<tr><th scope="col">magic value</th><th scope="col">what it does</th></tr>'
    return f"<table>{heads}{rows}</table>"


def _told(scenario: Scenario) -> str:
    if scenario.default is None:
        return scenario.does
    return f"{scenario.does} (without one: {scenario.default:g})"


def request_log(entries: Iterable[LoggedRequest]) -> bytes:
    """Return the log as JSON: `{"requests": [...]}`, oldest first."""
    return json.dumps({"requests": [asdict(entry) for entry in entries]}).encode()
