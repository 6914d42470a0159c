// The chart of the operations page: how today's orders are spread by their slippage.
(function () {
  "use strict";

  const CHART_EVERY_MS = 30000;
  let chart = null;

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

  if (!document.getElementById("slippage-chart")) return;
  refreshChart();
  setInterval(refreshChart, CHART_EVERY_MS);
})();
