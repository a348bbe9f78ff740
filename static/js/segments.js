/* The builder of segments: after a part of the rule was shown anew, the keyboard is where it was, or in the new part.
   All of it works without. */

document.addEventListener("htmx:after:swap", () => {
  const next = document.querySelector("#segment-tree [data-focus]");
  if (!next) return;
  next.removeAttribute("data-focus");
  next.focus();
});
