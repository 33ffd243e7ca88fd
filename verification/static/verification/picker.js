// Django's two lists of choices explain their search fields by a label on a bare <span>, which
// readers pass over: it becomes an image with that name. Runs after the lists are built, on load.
"use strict";
addEventListener("load", () => {
  setTimeout(() => {
    document.querySelectorAll(".search-label-icon").forEach((each) => each.setAttribute("role", "img"));
  });
});
