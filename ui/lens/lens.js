// What can be done with a lens (ui/lens/view.py): fold, search, jump. Listeners sit on the document, since lenses come
// and go with the page's updates.

(() => {
  const MOST_FOUND = 5000;
  const FOLDS = ".part:is(.working, .planning, .restating)";
  const searches = new WeakMap(); // lens → { words, ranges, at }

  const textOf = (lens) => lens.querySelector(".lens-text");

  // A section out of sight has no layout until it is scrolled to; then heights above it may change. So: twice.
  function bring(lens, target) {
    const text = textOf(lens);
    const part = target instanceof Range ? target.startContainer.parentElement : target;
    for (let turn = 0; turn < 2; turn += 1) {
      part.closest(".lens-section").style.contentVisibility = "visible";
      const box = target.getBoundingClientRect();
      text.scrollTop += box.top - text.getBoundingClientRect().top - text.clientHeight / 3;
    }
    text.scrollIntoView({ block: "nearest" });
  }

  function open(part) {
    for (const piece of part.closest(".lens-text").querySelectorAll(`[data-part="${part.dataset.part}"]`)) {
      piece.classList.add("open");
    }
  }

  function mark(lens, part) {
    for (const other of lens.querySelectorAll(".part.now")) other.classList.remove("now");
    part.classList.add("now");
    open(part);
    bring(lens, part);
  }

  function next(lens, kind) {
    const parts = [...textOf(lens).querySelectorAll(`.part.${kind}`)];
    const at = parts.findIndex((part) => part.classList.contains("now"));
    // All pieces of a part are one step.
    const rest = parts.slice(at + 1).find((part) => at < 0 || part.dataset.part !== parts[at].dataset.part);
    mark(lens, rest ?? parts[0]);
  }

  function fold(lens, button) {
    const folded = lens.classList.toggle("folded");
    button.setAttribute("aria-pressed", folded);
    for (const part of textOf(lens).querySelectorAll(FOLDS)) {
      part.classList.remove("open");
      if (folded) {
        part.tabIndex = 0;
        part.setAttribute("role", "button");
      } else {
        part.removeAttribute("tabindex");
        part.removeAttribute("role");
      }
    }
  }

  // Where a click on the map or the strip points to, as a share of the characters.
  function jump(lens, share) {
    const parts = textOf(lens).querySelectorAll(".part");
    const length = [...parts].reduce((sum, part) => sum + part.textContent.length, 0);
    let left = share * length;
    for (const part of parts) {
      left -= part.textContent.length;
      if (left <= 0) return mark(lens, part);
    }
    return undefined;
  }

  function find(lens, words) {
    const ranges = [];
    if (words) {
      const starts = [];
      const nodes = [];
      let whole = "";
      const walker = document.createTreeWalker(textOf(lens), NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        if (!node.parentElement.matches(".part")) continue;
        starts.push(whole.length);
        nodes.push(node);
        whole += node.data;
      }
      const place = (offset, from) => {
        let at = from;
        while (at + 1 < starts.length && starts[at + 1] <= offset) at += 1;
        return at;
      };
      let at = 0;
      const pattern = words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\s+/g, "\\s+");
      for (const match of whole.matchAll(new RegExp(pattern, "gi"))) {
        const range = new Range();
        at = place(match.index, at);
        range.setStart(nodes[at], match.index - starts[at]);
        const last = place(match.index + match[0].length - 1, at);
        range.setEnd(nodes[last], match.index + match[0].length - starts[last]);
        ranges.push(range);
        if (ranges.length >= MOST_FOUND) break;
      }
    }
    searches.set(lens, { words, ranges, at: -1 });
    paint();
  }

  function paint() {
    if (!window.CSS?.highlights) return;
    const found = [];
    const now = [];
    for (const lens of document.querySelectorAll(".lens")) {
      const search = searches.get(lens);
      if (!search) continue;
      found.push(...search.ranges);
      if (search.at >= 0) now.push(search.ranges[search.at]);
    }
    CSS.highlights.set("lens-found", new Highlight(...found));
    const current = new Highlight(...now);
    current.priority = 1;
    CSS.highlights.set("lens-now", current);
  }

  function step(lens, by) {
    const search = searches.get(lens);
    const said = lens.querySelector(".lens-tools output");
    if (!search?.words) {
      said.textContent = "";
      return;
    }
    const count = search.ranges.length;
    if (!count) {
      said.textContent = "not found";
      return;
    }
    search.at = (search.at + by + count) % count;
    said.textContent = `${search.at + 1} of ${count}${count >= MOST_FOUND ? "+" : ""}`;
    const range = search.ranges[search.at];
    open(range.startContainer.parentElement);
    paint();
    bring(lens, range);
  }

  const DO = {
    next: (lens, button) => next(lens, button.dataset.kind),
    fold,
    importance: (lens, button) => button.setAttribute("aria-pressed", lens.classList.toggle("weighed")),
    map: (lens, bar, event) => {
      const box = bar.getBoundingClientRect();
      jump(lens, (event.clientX - box.left) / box.width);
    },
    // Both sides go there.
    parting: (lens) => {
      for (const each of lens.closest(".lenses").querySelectorAll(".lens")) {
        const there = each.querySelector(".lens-parting");
        if (there) bring(each, there);
      }
    },
  };

  document.addEventListener("click", (event) => {
    const lens = event.target.closest?.(".lens");
    if (!lens) return;
    const button = event.target.closest("[data-lens]");
    if (button) DO[button.dataset.lens](lens, button, event);
    else if (lens.matches(".folded") && event.target.matches(FOLDS)) open(event.target);
  });

  let waiting = 0;
  document.addEventListener("input", (event) => {
    const lens = event.target.matches?.(".lens-tools input") && event.target.closest(".lens");
    if (!lens) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      find(lens, event.target.value.trim());
      step(lens, 1);
    }, 150);
  });

  document.addEventListener("keydown", (event) => {
    const lens = event.target.closest?.(".lens");
    if (!lens || event.isComposing || (event.key !== "Enter" && event.key !== " ")) return;
    if (event.target.matches(".lens-tools input")) {
      if (event.key === " ") return;
      event.preventDefault();
      if (searches.get(lens)?.words !== event.target.value.trim()) find(lens, event.target.value.trim());
      step(lens, event.shiftKey ? -1 : 1);
    } else if (lens.matches(".folded") && event.target.matches(FOLDS)) {
      event.preventDefault();
      open(event.target);
    }
  });
})();
