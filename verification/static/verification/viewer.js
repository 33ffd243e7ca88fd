// Enlarges and moves a revealed image, and puts another one beside it. Without this file the image
// is shown as it is, and another one is shown alone.
"use strict";
(() => {
  const MOST = 12;
  const STEP = 1.25;
  const MOVE = 40;
  const views = document.getElementById("views");
  const said = document.getElementById("view_said");
  if (!views) return;

  function enliven(view) {
    const frame = view.querySelector(".frame");
    const image = frame.querySelector("img");
    const at = { size: 1, x: 0, y: 0 };
    const draw = () => {
      image.style.transform = `translate(${at.x}px, ${at.y}px) scale(${at.size})`;
      said.textContent = `${Math.round(at.size * 100)} %`;
    };
    const zoom = (by) => {
      const size = Math.min(Math.max(at.size * by, 1), MOST);
      at.x *= size / at.size;
      at.y *= size / at.size;
      at.size = size;
      if (size === 1) { at.x = 0; at.y = 0; }
      draw();
    };
    const move = (x, y) => { at.x += x; at.y += y; draw(); };
    const acts = {
      "+": () => zoom(STEP), "=": () => zoom(STEP), "-": () => zoom(1 / STEP), "0": () => zoom(0),
      ArrowLeft: () => move(MOVE, 0), ArrowRight: () => move(-MOVE, 0),
      ArrowUp: () => move(0, MOVE), ArrowDown: () => move(0, -MOVE),
    };
    frame.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || !acts[event.key]) return;
      event.preventDefault();
      acts[event.key]();
    });
    frame.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoom(event.deltaY < 0 ? STEP : 1 / STEP);
    }, { passive: false });
    frame.addEventListener("pointerdown", (event) => frame.setPointerCapture(event.pointerId));
    frame.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) move(event.movementX, event.movementY);
    });
    const bar = view.querySelector(".zoom");
    const named = { in: acts["+"], out: acts["-"], reset: acts["0"] };
    bar.hidden = false;
    bar.addEventListener("click", (event) => {
      const act = named[event.target.dataset.zoom];
      if (act) act();
    });
  }

  // Another image is asked for by its own form, which is recorded like any other reveal.
  async function beside(form) {
    const button = form.querySelector("button[type=submit]");
    button.disabled = true;
    let answer;
    try {
      answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
    } catch {
      button.disabled = false;
      return form.submit();
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const view = page.querySelector("#views .view");
    if (!view) {
      const why = page.querySelector("[role=alert]");
      let told = form.querySelector(".field-error");
      if (!told) {
        told = document.createElement("p");
        told.className = "field-error";
        told.setAttribute("role", "alert");
        form.append(told);
      }
      told.textContent = why ? why.textContent.trim() : String(answer.status);
      button.disabled = false;
      return undefined;
    }
    const added = document.importNode(view, true);
    views.append(added);
    enliven(added);
    const list = form.closest("ul");
    form.closest("[data-beside]").remove();
    if (!list.children.length) list.closest("section").remove();
    added.querySelector(".frame").focus();
    return undefined;
  }

  views.querySelectorAll(".view").forEach(enliven);
  document.querySelectorAll("[data-beside] form").forEach((form) => {
    form.addEventListener("submit", (event) => { event.preventDefault(); beside(form); });
  });
})();
