// Conveniences that gradio has no setting for: voting by keyboard, asking with Enter (Shift+Enter begins a new line), and
// folding a thought from its end.

const VOTE_KEYS = { a: "vote-a", b: "vote-b", t: "vote-tie", x: "vote-both-bad" };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) return;
  const id = VOTE_KEYS[event.key.toLowerCase()];
  const button = id && document.getElementById(id);
  if (button && button.offsetParent !== null && !button.disabled) {
    event.preventDefault();
    button.click();
  }
});

document.addEventListener(
  "keydown",
  (event) => {
    // While an input method composes, as for Chinese, Enter only ends a word.
    if (event.key !== "Enter" || event.isComposing || !event.target.closest("#question")) return;
    event.stopPropagation();
    if (event.shiftKey) return;
    event.preventDefault();
    document.getElementById("ask").click();
  },
  true,
);

// Gradio asks with Shift+Enter where a field has several lines.
document.addEventListener(
  "keypress",
  (event) => {
    if (event.key === "Enter" && event.target.closest("#question")) event.stopPropagation();
  },
  true,
);

function addFolds() {
  for (const group of document.querySelectorAll(".thought-group")) {
    const open = group.querySelector(":scope > .content");
    const fold = group.querySelector(":scope > .fold");
    if (open && !fold) {
      const button = document.createElement("button");
      button.className = "fold";
      button.textContent = "▲ Fold the thought";
      button.addEventListener("click", () => {
        group.querySelector(".title").click();
        group.scrollIntoView({ block: "nearest" });
      });
      group.append(button);
    } else if (!open && fold) {
      fold.remove();
    }
  }
}

let scheduled = false;
new MutationObserver(() => {
  if (scheduled) return;
  scheduled = true;
  setTimeout(() => {
    scheduled = false;
    addFolds();
  }, 200);
}).observe(document.documentElement, { childList: true, subtree: true });
