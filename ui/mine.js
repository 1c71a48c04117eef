// A visitor's own battles, kept in their browser alone: the latest first, each with its link.

const mine = (() => {
  const KEY = "journey-arena-battles";
  const MOST = 50;

  function read() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
      return Array.isArray(kept) ? kept.filter((each) => typeof each?.battle === "string") : [];
    } catch {
      return [];
    }
  }

  function write(battles) {
    try {
      localStorage.setItem(KEY, JSON.stringify(battles.slice(0, MOST)));
    } catch {
      return; // a browser that keeps nothing
    }
    draw();
  }

  function keep(battle) {
    write([{ ...battle, at: Date.now() }, ...read().filter((each) => each.battle !== battle.battle)]);
  }

  function row({ battle, question, outcome, at }) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `?battle=${encodeURIComponent(battle)}`;
    link.textContent = question || "Battle";
    const told = document.createElement("span");
    told.className = "note";
    told.textContent = ` ${[outcome, new Date(at).toLocaleString()].filter(Boolean).join(" · ")}`;
    item.append(link, told);
    return item;
  }

  function draw() {
    const box = document.querySelector("details#my-battles");
    if (!box) return;
    const battles = read();
    box.hidden = battles.length === 0;
    box.dataset.drawn = "yes";
    box.querySelector("summary").textContent = `My battles (${battles.length})`;
    box.querySelector("ul").replaceChildren(...battles.map(row));
    if (box.querySelector(".plain")) return;
    const clear = document.createElement("button");
    clear.type = "button";
    clear.className = "plain";
    clear.textContent = "Forget them";
    clear.addEventListener("click", () => write([]));
    box.append(clear);
  }

  function drawOnce() {
    if (document.querySelector("details#my-battles:not([data-drawn])")) draw();
  }

  return { keep, drawOnce };
})();
