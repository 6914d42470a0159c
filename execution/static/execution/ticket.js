// The price on a ticket is that of what is typed: where it cannot be asked for, the old one goes.
(function () {
  "use strict";

  const ticket = document.querySelector(".ds-ticket");
  const priced = document.getElementById("priced");

  function say(why) {
    const title = document.createElement("h2"), line = document.createElement("p");
    title.textContent = "Not priced";
    line.textContent = why;
    priced.replaceChildren(title, line);
  }

  ticket.addEventListener("htmx:beforeSwap", function (event) {
    const asked = new URL(event.detail.xhr.responseURL, location.href);
    if (asked.pathname === location.pathname) return;
    event.detail.shouldSwap = false;
    say("Your login has ended: log in again before you send it.");
  });
  ticket.addEventListener("htmx:responseError", function (event) {
    const refused = event.detail.xhr.status === 403;
    say(refused ? "Your role does not allow this any more." : "The service failed: error " + event.detail.xhr.status + ".");
  });
  ticket.addEventListener("htmx:sendError", function () {
    say("The service does not answer.");
  });
})();
