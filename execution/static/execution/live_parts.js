// Parts of a page that refresh themselves: htmx asks for them again and again, and each that has
// changed is put in place. A part in which text is selected or a control has the focus stays as it is.
(function () {
  "use strict";

  function isInUse(part) {
    const selection = document.getSelection();
    const selecting = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
    return selecting || part.contains(document.activeElement);
  }

  function scrolled(part) {
    const box = part.querySelector(".ds-scroll");
    return box ? [box.scrollLeft, box.scrollTop] : null;
  }

  function replace(part, fresh) {
    if (part.innerHTML === fresh.innerHTML || isInUse(part)) return;
    const position = scrolled(part);
    part.innerHTML = fresh.innerHTML;
    const box = part.querySelector(".ds-scroll");
    if (position && box) [box.scrollLeft, box.scrollTop] = position;
  }

  function take(text) {
    const page = new DOMParser().parseFromString(text, "text/html");
    const parts = page.querySelectorAll("[data-part]");
    parts.forEach(function (fresh) {
      const part = document.getElementById(fresh.id);
      if (part) replace(part, fresh);
    });
    return parts.length > 0;
  }

  function sayStale(live, stale) {
    const line = live.querySelector(".ds-stale");
    const last = live.querySelector("#updated time");
    line.hidden = !stale;
    if (stale) line.textContent = last ? "Not updated since " + last.textContent : "Not updated";
  }

  document.querySelectorAll("[data-live]").forEach(function (live) {
    live.addEventListener("htmx:afterRequest", function (event) {
      sayStale(live, !(event.detail.successful && take(event.detail.xhr.responseText)));
    });
  });
})();
