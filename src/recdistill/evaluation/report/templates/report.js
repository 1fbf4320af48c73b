"use strict";
// Explanations: one bubble for all, by pointer, by keyboard and by touch, never outside the window.
const tip = document.getElementById("tip");
let current = null;
function place() {
  const at = current.getBoundingClientRect(), box = tip.getBoundingClientRect();
  const below = at.bottom + 8 + box.height < window.innerHeight;
  tip.style.top = `${below ? at.bottom + 8 : Math.max(8, at.top - 8 - box.height)}px`;
  tip.style.left = `${Math.max(12, Math.min(at.left, document.documentElement.clientWidth - box.width - 12))}px`;
}
function show(event) {
  current = event.currentTarget;
  if (current.title) { current.dataset.tip = current.title; current.setAttribute("aria-description", current.title); current.removeAttribute("title"); }
  tip.textContent = current.dataset.tip;
  tip.hidden = false;
  place();
}
function hide() { current = null; tip.hidden = true; }
for (const term of document.querySelectorAll("abbr[title]")) {
  term.addEventListener("pointerenter", show);
  term.addEventListener("focus", show);
  term.addEventListener("pointerleave", hide);
  term.addEventListener("blur", hide);
}
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
// A term that is reached by keyboard may first have to scroll into view: the bubble goes with it.
document.addEventListener("scroll", () => { if (current) place(); }, { passive: true, capture: true });

for (const button of document.querySelectorAll("[data-copies]")) {
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copies);
    try { await navigator.clipboard.writeText(source.textContent); button.textContent = "Copied"; }
    catch { getSelection().selectAllChildren(source); button.textContent = "Selected: press Ctrl+C"; }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

// On paper nothing can be unfolded.
window.addEventListener("beforeprint", () => { for (const part of document.querySelectorAll("details")) part.open = true; });
