// The list of orders moves: what has changed of the orders on the page is put in place, and newer
// orders are told of, but no row comes or goes under the hand of who is choosing some.
(function () {
  "use strict";

  const EVERY_MS = 3000;
  const moving = document.getElementById("orders-now");
  const rows = new Map();
  const shown = new WeakMap();  // what was put into a cell, as it was told
  let known = null;  // the newest order when the page was opened

  document.querySelectorAll("#result_list [data-order]").forEach(function (order) {
    rows.set(order.dataset.order, order.closest("tr"));
  });

  function put(row, fresh) {
    Object.keys(fresh).forEach(function (name) {
      const cell = row.querySelector(".field-" + name);
      if (!cell || shown.get(cell) === fresh[name]) return;
      cell.innerHTML = fresh[name];
      shown.set(cell, fresh[name]);
    });
  }

  function take(found) {
    rows.forEach(function (row, order) {
      if (found.orders[order]) put(row, found.orders[order]);
    });
    if (known === null) known = found.newest;
    moving.querySelector(".ds-newer").hidden = found.newest <= known;
  }

  function say(stale) {
    moving.querySelector(".ds-stale").hidden = !stale;
  }

  function ask() {
    if (document.hidden) return;
    const asked = moving.dataset.address + "?orders=" + [...rows.keys()].join(",");
    fetch(asked, { headers: { Accept: "application/json" } })
      .then((answer) => (answer.ok ? answer.json() : Promise.reject()))
      .then(function (found) { take(found); say(false); })
      .catch(function () { say(true); });
  }

  ask();
  setInterval(ask, EVERY_MS);
})();
