// The operations page refreshes itself: htmx asks every two seconds, and each part that has changed
// is put in place. A part in which text is selected or a control has the focus stays as it is.
(function () {
  "use strict";

  const CHART_EVERY_MS = 30000;
  let chart = null;

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

  function sayStale(stale) {
    const line = document.querySelector(".ds-stale");
    const last = document.querySelector("#updated time");
    line.hidden = !stale;
    if (stale) line.textContent = "Not updated since " + last.textContent;
  }

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function draw(canvas, buckets) {
    const data = {
      labels: buckets.map((each) => each.label),
      datasets: [{
        data: buckets.map((each) => each.orders),
        backgroundColor: buckets.map((each) => (each.cost ? "#b3261e" : "#1c7c3c")),
      }],
    };
    if (chart) {
      chart.data = data;
      chart.update("none");
      return;
    }
    const grey = colour("--color-base-500");
    chart = new Chart(canvas, {
      type: "bar",
      data: data,
      options: {
        animation: false,
        maintainAspectRatio: false,
        plugins: { legend: { display: false } },
        scales: {
          x: { ticks: { color: grey }, grid: { display: false } },
          y: { beginAtZero: true, ticks: { color: grey, precision: 0 } },
        },
      },
    });
  }

  function refreshChart() {
    const canvas = document.getElementById("slippage-chart");
    fetch(canvas.dataset.address, { headers: { Accept: "application/json" } })
      .then((answer) => (answer.ok ? answer.json() : null))
      .then((found) => found && draw(canvas, found.buckets))
      .catch(function () { /* the figures above say that they are stale */ });
  }

  const page = document.getElementById("operations");
  if (!page) return;
  page.addEventListener("htmx:afterRequest", function (event) {
    sayStale(!(event.detail.successful && take(event.detail.xhr.responseText)));
  });
  refreshChart();
  setInterval(refreshChart, CHART_EVERY_MS);
})();
