// The page in the reader's language. The server writes English; ui/text/zh.json has our sentences in Chinese, and they
// are exchanged on their way to the eye. What people and models wrote stands below translate="no" and stays as it is.
// Gradio's own few words follow the browser by themselves.

const LANGUAGES = { en: "English", zh: "中文" };
// Where gradio's own components show what people and models wrote, a selector says so.
const WRITTEN = ".message .md, #bm-detail .md:not(#bm-pinned *), #trace-question, #trace-answer, #trace-list, #my-battles a, .lens-text .part";
const UNTOUCHED = `[translate="no"], textarea, script, style, code, pre, .katex, [contenteditable], ${WRITTEN}`;
const OURS = ".ours, .thought-group .title"; // our remarks within what a model wrote
const SPOKEN = ["placeholder", "title", "aria-label", "alt"];
const DOT = " · ";
const SENTENCE = /([.!?]) (?=[\p{Lu}\d“])/gu;
const LANGUAGE_KEY = "journey-arena-language";

function untouched(element) {
  return Boolean(element?.closest(UNTOUCHED)) && !element.closest(OURS);
}

function chosenLanguage() {
  let kept = null;
  try {
    kept = localStorage.getItem(LANGUAGE_KEY);
  } catch {} // a browser that keeps nothing
  const wanted = kept || (navigator.language || "en").split("-")[0];
  return wanted in LANGUAGES ? wanted : "en";
}

// Sentences by their English, and patterns for those with gaps: "Thought for {1} s" → "思考了 {1} 秒". What fills a
// gap is exchanged as well where it is a sentence or a word of ours.
class Catalogue {
  constructor(texts) {
    this.exact = new Map();
    this.patterns = [];
    this.known = new Map();
    for (const [english, other] of Object.entries(texts)) {
      if (!/\{\d\}/.test(english)) this.exact.set(english, other);
      else this.patterns.push([this.pattern(english), other]);
    }
  }

  pattern(english) {
    const quoted = english.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{(\d)\}/g, "(?<gap$1>.+?)");
    return new RegExp(`^${quoted}$`, "su");
  }

  find(text) {
    const [, before, words, after] = /^(\s*)(.*?)(\s*)$/su.exec(text);
    if (!/\p{Letter}/u.test(words)) return text;
    const spaced = words.replace(/\s+/g, " ");
    if (!this.known.has(spaced)) {
      if (this.known.size > 5000) this.known.clear();
      this.known.set(spaced, this.translated(spaced));
    }
    const other = this.known.get(spaced);
    return other === null ? text : before + other + after;
  }

  translated(words) {
    if (this.exact.has(words)) return this.exact.get(words);
    const dotted = words.includes(DOT) ? this.filled(words, DOT) ?? this.inParts(words.split(DOT), DOT) : null;
    const whole = dotted ?? this.filled(words);
    const sentences = words.replace(SENTENCE, "$1\n").split("\n");
    return whole ?? this.inParts(sentences, " ")?.replace(/([。！？]) /gu, "$1") ?? null;
  }

  filled(words, having = "") {
    for (const [pattern, other] of this.patterns) {
      const gaps = pattern.source.includes(having) ? pattern.exec(words)?.groups : null;
      if (gaps) return other.replace(/\{(\d)\}/g, (_, number) => this.find(gaps[`gap${number}`] ?? ""));
    }
    return null;
  }

  // Facts joined by dots, and sentences that follow each other, are exchanged each by itself.
  inParts(parts, joined) {
    if (parts.length === 1) return null;
    const others = parts.map((part) => this.find(part));
    return others.some((other, place) => other !== parts[place]) ? others.join(joined) : null;
  }
}

class Translator {
  constructor(catalogue, language) {
    this.catalogue = catalogue;
    this.language = language;
    this.shown = new WeakMap(); // node → the text that was put there
  }

  text(node) {
    if (this.shown.get(node) === node.data || untouched(node.parentElement)) return;
    const other = this.catalogue.find(node.data);
    this.shown.set(node, other);
    if (other !== node.data) node.data = other;
  }

  attributes(element) {
    if (element.closest(UNTOUCHED) && !element.matches("textarea")) return;
    for (const name of SPOKEN) {
      const value = element.getAttribute(name);
      if (!value) continue;
      const other = this.catalogue.find(value);
      if (other !== value) element.setAttribute(name, other);
    }
  }

  date(element) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.valueOf())) return;
    const timed = element.dateTime.includes("T") ? { timeStyle: "short" } : {};
    const other = at.toLocaleString(this.language, { dateStyle: "medium", timeZone: "UTC", ...timed });
    if (element.textContent !== other) element.textContent = other;
  }

  // A dropdown shows its choice in a field, whose value is no text; it is told nothing, so its choice stays what it was.
  fields() {
    for (const field of document.querySelectorAll('input[role="combobox"]')) {
      if (field === document.activeElement || untouched(field)) continue;
      const other = this.catalogue.find(field.value);
      if (other !== field.value) field.value = other;
    }
  }

  all(root) {
    if (root.nodeType === Node.TEXT_NODE) return this.text(root);
    if (root.nodeType !== Node.ELEMENT_NODE) return;
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
    for (let node = walker.currentNode; node; node = walker.nextNode()) {
      if (node.nodeType === Node.TEXT_NODE) this.text(node);
      else if (node.matches("time[datetime]")) this.date(node);
      else this.attributes(node);
    }
  }

  watch() {
    this.all(document.body);
    document.addEventListener("focusout", () => setTimeout(() => this.fields()));
    new MutationObserver((changes) => {
      for (const change of changes) {
        if (change.type === "characterData") this.text(change.target);
        else if (change.type === "attributes") this.attributes(change.target);
        else change.addedNodes.forEach((node) => this.all(node));
      }
      this.fields();
    }).observe(document.body, {
      subtree: true,
      childList: true,
      characterData: true,
      attributes: true,
      attributeFilter: SPOKEN,
    });
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("#language");
  if (!button) return;
  try {
    localStorage.setItem(LANGUAGE_KEY, button.dataset.language);
  } catch {}
  location.reload();
});

function offerLanguages(current) {
  const other = Object.keys(LANGUAGES).find((language) => language !== current);
  const seen = new MutationObserver(() => {
    const button = document.querySelector("#language");
    if (!button) return;
    Object.assign(button, { textContent: LANGUAGES[other], lang: other });
    button.dataset.language = other;
    seen.disconnect();
  });
  seen.observe(document.documentElement, { subtree: true, childList: true });
}

async function speak(language) {
  offerLanguages(language);
  if (language === "en") return;
  document.documentElement.lang = language;
  const texts = await (await fetch(`arena/texts/${language}`)).json();
  const begin = () => new Translator(new Catalogue(texts), language).watch();
  if (document.body) begin();
  else document.addEventListener("DOMContentLoaded", begin);
}

speak(chosenLanguage());
