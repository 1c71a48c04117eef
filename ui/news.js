// What the server tells a page, handed to its widgets: see ui/compare/news.py. Gradio calls `arena.take` with the news
// that an event has answered; a stream's news waits until the page presses #pulse, which makes gradio call it too.

const arena = (() => {
  const RETRIES = 5;
  const MS_SAID = 4000;
  const MS_FAILED = 8000;
  const panels = {}; // name → the messages that a panel shows
  const waiting = {}; // widget → the value that a stream has brought
  let stream = null;
  let number = 0; // of the last news that an event has answered

  // One region that stays: what is put into it is read out by screen readers.
  function announce(sentence) {
    let region = document.querySelector("body > #announcer");
    if (!region) {
      region = document.createElement("div");
      region.id = "announcer";
      region.className = "for-readers";
      region.setAttribute("role", "status");
      document.body.append(region);
    }
    region.textContent = sentence;
  }

  let working = false;
  function announceProgress(line, ballot, arena) {
    if (working === Boolean(line)) return;
    working = Boolean(line);
    if (working) announce("The models are answering.");
    else if (arena?.visible !== false) announce(ballot?.visible ? "Both answers are here." : "The models have ended.");
  }

  function show(values) {
    for (const [name, value] of Object.entries(values)) {
      if (name === "progress") announceProgress(value, values["ballot.group"], values.arena);
      if (name.startsWith("panels-")) panels[name] = value;
      if (name === "held") mine.hold(value);
      else waiting[name] = value;
    }
  }

  function add([panel, removed, text]) {
    const messages = panels[panel] ?? [];
    const last = messages[messages.length - 1];
    if (!last) return;
    const [block] = last.content;
    const grown = { ...block, text: block.text.slice(0, block.text.length - removed) + text };
    panels[panel] = waiting[panel] = [...messages.slice(0, -1), { ...last, content: [grown] }];
  }

  function say(sentence, failed) {
    for (const before of document.querySelectorAll("body > .said")) if (before.textContent === sentence) before.remove();
    const line = document.createElement("div");
    line.className = failed ? "said failed" : "said";
    line.setAttribute("role", failed ? "alert" : "status");
    line.textContent = sentence;
    document.body.append(line);
    setTimeout(() => line.remove(), failed ? MS_FAILED : MS_SAID);
  }

  const press = () => document.querySelector("button#pulse")?.click();

  function hear(told) {
    show(told.show ?? {});
    (told.add ?? []).forEach(add);
    if (told.said) say(told.said, false);
    if (told.failed) say(told.failed, true);
    if (told.mine) mine.keep(told.mine);
    if (told.follow) leaveField();
    if (told.follow !== undefined) {
      leaveLink(told.follow);
      follow(told.follow);
    }
  }

  // The question is on its way, so letters are votes again.
  function leaveField() {
    document.activeElement?.closest("#question")?.querySelector("textarea")?.blur();
  }

  // The page has moved on from the battle in its address, which a reload would open again.
  function leaveLink(battle) {
    const address = new URL(window.location.href);
    if ((address.searchParams.get("battle") ?? battle) === battle) return;
    address.searchParams.delete("battle");
    window.history.replaceState(window.history.state, "", address);
  }

  function follow(battle) {
    stream?.close();
    stream = null;
    if (!battle) return;
    let failures = 0;
    const source = new EventSource(`${window.gradio_config?.root ?? ""}/arena/turns/${encodeURIComponent(battle)}`);
    stream = source;
    source.onmessage = ({ data }) => {
      if (stream !== source) return;
      failures = 0;
      const told = JSON.parse(data);
      if (told.over) follow("");
      hear(told);
      press();
    };
    source.onerror = () => {
      failures += 1;
      if (stream !== source || (source.readyState !== EventSource.CLOSED && failures < RETRIES)) return;
      follow("");
      say("The connection to the server was lost. Reload the page to see the answers.", true);
    };
  }

  // The new value of each of these widgets; undefined leaves it as it is.
  function take(told, names) {
    if (told && told.number !== number) {
      number = told.number;
      hear(told);
    }
    let drawn = false; // drawing a long reply takes a while: one panel at a time, so that the page answers in between
    return names.map((name) => {
      if (!(name in waiting)) return undefined;
      if (name.startsWith("panels-") && drawn) {
        setTimeout(press);
        return undefined;
      }
      drawn ||= name.startsWith("panels-");
      const value = waiting[name];
      delete waiting[name];
      return value;
    });
  }

  return { take };
})();
