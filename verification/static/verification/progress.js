// While the worker is at something, its progress is fetched anew; without this, "Look again" does the same.
(() => {
  const PAUSE_MS = 3000;
  const look = async () => {
    const old = document.querySelector("[data-progress]");
    try {
      const answer = await fetch(window.location.href, { credentials: "same-origin" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.querySelector("[data-progress]");
      if (!answer.ok || !fresh) return;
      if (fresh.dataset.progress === "ended") {
        window.location.reload();
        return;
      }
      old.replaceWith(document.adoptNode(fresh));
    } catch {
      // The server is away: look again later.
    }
    window.setTimeout(look, PAUSE_MS);
  };
  window.setTimeout(look, PAUSE_MS);
})();
