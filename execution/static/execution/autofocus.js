// The theme hides a page until Alpine has started, and a browser gives up an `autofocus` that it
// finds hidden: whoever opens HALT ALL would type the reason into nothing.
document.addEventListener("alpine:initialized", () => {
  queueMicrotask(() => {  // in which Alpine, too, shows the page
    if (document.activeElement === document.body) document.querySelector("[autofocus]")?.focus();
  });
});
