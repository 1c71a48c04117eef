// Conveniences that gradio has no setting for: voting by keyboard, asking with Enter (Shift+Enter begins a new line),
// following a reply while it is written, folding a thought from its end, and the direction of what people wrote.

const VOTE_KEYS = { a: "vote-a", b: "vote-b", t: "vote-tie", x: "vote-both-bad" };
const AT_THE_END = 60; // pixels from the end of a panel within which a reader counts as following it

// Only the page's own buttons: what stands in a reply is never one.
const ownButton = (id) => document.querySelector(`button#${id}`);

// An input method uses Enter and letters for its own ends. Safari says so only by the key code.
const composing = (event) => event.isComposing || event.keyCode === 229;

document.addEventListener("keydown", (event) => {
  if (event.repeat || composing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]")) return;
  const id = VOTE_KEYS[event.key.toLowerCase()];
  const button = id && ownButton(id);
  if (button && button.offsetParent !== null && !button.disabled) {
    event.preventDefault();
    button.click();
  }
});

document.addEventListener(
  "keydown",
  (event) => {
    if (event.key !== "Enter" || !event.target.closest("#question")) return;
    if (composing(event)) {
      event.stopPropagation();
      return;
    }
    event.stopPropagation();
    if (event.shiftKey) return;
    event.preventDefault();
    if (!event.repeat) ownButton("ask")?.click();
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
    // The title is a button as a whole; gradio puts another into it, without a name.
    for (const arrow of group.querySelectorAll(":scope > .title button")) arrow.inert = true;
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

// A reply that is being written is followed to its end, as long as its reader is there. Gradio would follow it anyway.
const leftTheEnd = new WeakSet();
const lastTop = new WeakMap();
const questionsSeen = new WeakMap();

document.addEventListener(
  "scroll",
  ({ target }) => {
    if (!(target instanceof Element) || !target.matches(".panel .bubble-wrap")) return;
    const below = target.scrollHeight - target.scrollTop - target.clientHeight;
    // Only a reader scrolls up. Being far from the end means nothing: new words may have come since it was followed.
    if (below <= AT_THE_END) leftTheEnd.delete(target);
    else if (target.scrollTop < (lastTop.get(target) ?? 0)) leftTheEnd.add(target);
    lastTop.set(target, target.scrollTop);
  },
  { capture: true, passive: true },
);
for (const kind of ["wheel", "touchmove"]) {
  document.addEventListener(
    kind,
    (event) => {
      const panel = event.target.closest?.(".panel .bubble-wrap");
      if (panel && !(event.deltaY > 0)) leftTheEnd.add(panel); // at once: the next words may come before it has scrolled
    },
    { capture: true, passive: true },
  );
}

function follow() {
  const live = document.querySelector(".progress.live") !== null;
  for (const panel of document.querySelectorAll(".panel .bubble-wrap")) {
    const questions = panel.querySelectorAll(".user-row");
    const asked = questions.length > (questionsSeen.get(panel) ?? 0);
    questionsSeen.set(panel, questions.length);
    if (asked) {
      leftTheEnd.delete(panel);
      const question = questions[questions.length - 1];
      panel.scrollTop += question.getBoundingClientRect().top - panel.getBoundingClientRect().top;
    } else if (live && !leftTheEnd.has(panel)) {
      panel.scrollTop = panel.scrollHeight;
    }
  }
}

function direct() {
  for (const element of document.querySelectorAll(".message .prose:not([dir]), #question textarea:not([dir])"))
    element.dir = "auto";
}

// A panel can be scrolled by keys.
function focusable() {
  for (const panel of document.querySelectorAll(".panel:not([tabindex])")) panel.tabIndex = 0;
}

let scheduled = false;
new MutationObserver(() => {
  if (scheduled) return;
  scheduled = true;
  setTimeout(() => {
    scheduled = false;
    prepareFirst();
    mine.drawOnce();
    addFolds();
    direct();
    focusable();
    follow();
  }, 100);
}).observe(document.documentElement, { childList: true, characterData: true, subtree: true });
