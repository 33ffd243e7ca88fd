// Keys for what the page already offers: every element with aria-keyshortcuts is a button, link,
// field or summary that works without this file. Nothing is sent that no form would send.
"use strict";
(() => {
  const STORE = "desk-keys-off";
  const dialog = document.getElementById("keys");
  const opener = document.getElementById("keys_open");
  const said = document.getElementById("keys_said");
  const toggle = document.getElementById("keys_on");
  if (!dialog || !opener) return;

  const isOff = () => {
    try { return localStorage.getItem(STORE) === "1"; } catch { return false; }
  };
  const keep = (isOn) => {
    try { localStorage.setItem(STORE, isOn ? "0" : "1"); } catch { /* asked again next time */ }
  };
  const targets = () => [...document.querySelectorAll("[aria-keyshortcuts]")];
  const nameOf = (element) => {
    const label = element.labels && element.labels[0];
    const text = element.getAttribute("aria-label") || (label || element).textContent;
    const copy = text.replace(/\s+/g, " ").trim();
    return copy.replace(new RegExp(`\\s*${element.getAttribute("aria-keyshortcuts")}$`), "");
  };
  const say = (text) => { if (said) said.textContent = text; };

  function list() {
    const rows = document.getElementById("keys_list");
    rows.querySelectorAll("[data-made]").forEach((each) => each.remove());
    const hasRows = Boolean(document.querySelector("[data-rows]"));
    rows.querySelectorAll("[data-rows-only]").forEach((each) => { each.hidden = !hasRows; });
    for (const each of targets()) {
      const row = document.createElement("div");
      const term = document.createElement("dt");
      const key = document.createElement("kbd");
      const what = document.createElement("dd");
      key.textContent = each.getAttribute("aria-keyshortcuts");
      what.textContent = nameOf(each);
      row.dataset.made = "";
      term.append(key);
      row.append(term, what);
      rows.append(row);
    }
  }

  function open() {
    list();
    toggle.checked = !isOff();
    dialog.showModal();
  }

  // Keys stand on what is pressed, but not for readers: aria-keyshortcuts tells them.
  function show() {
    document.querySelectorAll("kbd.key").forEach((each) => each.remove());
    if (isOff()) return;
    for (const each of targets()) {
      if (!each.matches("button, summary, a")) continue;
      const key = document.createElement("kbd");
      key.className = "key";
      key.setAttribute("aria-hidden", "true");
      key.textContent = each.getAttribute("aria-keyshortcuts");
      each.append(key);
    }
  }

  function use(element) {
    for (let at = element.parentElement; at; at = at.parentElement) {
      if (at.tagName === "DETAILS" && element.tagName !== "SUMMARY") at.open = true;
    }
    if (element.tagName === "SUMMARY") {
      const box = element.parentElement;
      box.open = true;
      const field = box.querySelector("input:not([type=hidden]), select, textarea, button");
      (field || element).focus();
    } else if (element.type === "radio") {
      element.focus();
      element.checked = true;
      element.dispatchEvent(new Event("change", { bubbles: true }));
    } else if (element.matches("input, select, textarea")) {
      element.focus();
    } else {
      element.click();
    }
    say(nameOf(element));
  }

  const rows = () => [...document.querySelectorAll("[data-rows] tbody tr")];
  function walk(way) {
    const all = rows();
    if (!all.length) return;
    const now = all.findIndex((each) => each.contains(document.activeElement));
    const next = now < 0 ? (way > 0 ? 0 : all.length - 1) : now + way;
    const row = all[Math.min(Math.max(next, 0), all.length - 1)];
    row.querySelector("th a").focus();
    row.scrollIntoView({ block: "nearest" });
  }
  function tick() {
    const row = rows().find((each) => each.contains(document.activeElement));
    const box = row && row.querySelector("input[type=checkbox]");
    if (box) {
      box.checked = !box.checked;
      say(`${box.getAttribute("aria-label")}: ${box.checked ? "✓" : "–"}`);
    }
  }

  const isTyping = (element) =>
    element.isContentEditable || element.matches("textarea, select, input:not([type=radio]):not([type=checkbox])");

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || dialog.open) return;
    if (event.key === "Escape" && isTyping(event.target)) { event.target.blur(); return; }
    if (isTyping(event.target) || isOff()) return;
    const own = { "?": open, j: () => walk(1), k: () => walk(-1), x: tick }[event.key];
    const found = targets().find((each) => each.getAttribute("aria-keyshortcuts") === event.key);
    if (!own && !found) return;
    event.preventDefault();
    if (own) own(); else use(found);
  });

  opener.hidden = false;
  opener.addEventListener("click", open);
  toggle.addEventListener("change", () => { keep(toggle.checked); show(); });
  show();
})();

// Reason codes of other decisions than the chosen one cannot be chosen.
(() => {
  for (const codes of document.querySelectorAll("select[data-codes]")) {
    const form = codes.closest("form");
    const narrow = () => {
      const chosen = form.querySelector("input[name=decision]:checked");
      for (const group of codes.querySelectorAll("optgroup")) {
        group.disabled = group.hidden = Boolean(chosen) && group.dataset.decision !== chosen.value;
      }
      const picked = codes.selectedOptions[0];
      if (picked && picked.parentElement.disabled) codes.value = "";
    };
    form.addEventListener("change", (event) => { if (event.target.name === "decision") narrow(); });
    narrow();
  }
})();
