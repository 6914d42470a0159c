// The charts of one order: shares planned and executed, and prices. They are read anew every five
// seconds as long as the order is live. Points come as [milliseconds, value].
(function () {
  "use strict";

  const EVERY_MS = 5000;
  const SHORTEST_MS = 60000; // Around a single point the library would draw an axis of days.
  const TIME = new Intl.DateTimeFormat("en-GB", {
    timeZone: "America/New_York", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  const box = document.getElementById("order-charts");
  if (!box) return;
  const charts = {};

  function points(pairs) {
    return pairs.map(function (pair) { return { x: pair[0], y: pair[1] }; });
  }

  function line(label, pairs, colour, options) {
    return Object.assign({
      label: label, data: points(pairs), borderColor: colour, backgroundColor: colour,
      borderWidth: 2, pointRadius: 0,
    }, options);
  }

  function dots(label, pairs, colour, shape) {
    return line(label, pairs, colour, { showLine: false, pointRadius: 3, pointStyle: shape });
  }

  function quantities(found) {
    return [
      line("Planned", found.planned, "#8a94a3", { stepped: true, borderDash: [5, 4] }),
      line("Executed", found.executed, "#1c7c3c", { stepped: true, pointRadius: 2 }),
    ];
  }

  function prices(found) {
    return [
      dots("Fills", found.fills, "#1668b0", "circle"),
      dots("Child limits", found.limits, "#b3261e", "line"),
      line("Own average", found.average, "#1c7c3c", {}),
      line("Market VWAP", found.vwap, "#96600a", { borderDash: [5, 4] }),
    ];
  }

  function options(format) {
    const grey = getComputedStyle(document.documentElement).getPropertyValue("--color-base-500").trim();
    const grid = { color: "rgba(128, 128, 128, 0.2)" };
    return {
      animation: false,
      maintainAspectRatio: false,
      parsing: false,
      plugins: {
        legend: { position: "bottom", labels: { color: grey, usePointStyle: true, boxHeight: 6 } },
        tooltip: { callbacks: {
          title: function (items) { return TIME.format(items[0].parsed.x) + " ET"; },
          label: function (item) { return item.dataset.label + ": " + format(item.parsed.y); },
        } },
      },
      scales: {
        x: {
          type: "linear", grid: grid,
          title: { display: true, text: "ET", color: grey, align: "end" },
          ticks: { color: grey, maxTicksLimit: 7, maxRotation: 0, callback: function (at) { return TIME.format(at); } },
        },
        y: { grid: grid, ticks: { color: grey, callback: format } },
      },
    };
  }

  function shares(value) { return value.toLocaleString("en-US"); }
  function price(value) {
    return value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 4 });
  }

  // The axis reaches to `until` and as far as there are points.
  function draw(id, datasets, found, until, format) {
    if (!charts[id]) {
      const canvas = document.getElementById(id);
      charts[id] = new Chart(canvas, { type: "line", data: { datasets: [] }, options: options(format) });
    }
    const chart = charts[id];
    const start = found.planned[0][0];
    chart.options.scales.x.min = start;
    chart.options.scales.x.suggestedMax = Math.max(until, start + SHORTEST_MS);
    // What was hidden in the legend stays hidden.
    datasets.forEach(function (fresh, index) {
      const known = chart.data.datasets[index];
      if (known) known.data = fresh.data;
      else chart.data.datasets.push(fresh);
    });
    chart.update("none");
  }

  function say(text) {
    const stale = box.querySelector(".ds-stale");
    stale.hidden = !text;
    stale.textContent = text;
  }

  function refresh() {
    fetch(box.dataset.address, { headers: { Accept: "application/json" } })
      .then(function (answer) {
        if (!answer.ok) throw new Error(answer.statusText);
        return answer.json();
      })
      .then(function (found) {
        draw("quantity-chart", quantities(found), found, found.until, shares);
        draw("price-chart", prices(found), found, 0, price);
        say("");
        if (found.live) setTimeout(refresh, EVERY_MS);
      })
      .catch(function () {
        say("The charts could not be refreshed");
        setTimeout(refresh, EVERY_MS);
      });
  }

  refresh();
})();
