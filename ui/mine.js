// A visitor's own battles, kept in their browser alone: those voted on, the latest first, each with its link; and the one
// that a reload of this tab finds again.

const mine = (() => {
  const KEY = "journey-arena-battles";
  const HELD = "journey-arena-held";
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

  // In this tab, and for a tab opened later, unless another one holds a battle of its own.
  let own = "";
  function hold(battle) {
    try {
      for (const store of [sessionStorage, localStorage])
        if (battle) store.setItem(HELD, battle);
        else if (store.getItem(HELD) === own) store.removeItem(HELD);
    } catch {
      return; // a browser that keeps nothing
    }
    own = battle;
  }

  function held() {
    try {
      return sessionStorage.getItem(HELD) ?? localStorage.getItem(HELD) ?? "";
    } catch {
      return "";
    }
  }

  return { keep, hold, held, drawOnce };
})();
