// The first screen: a few examples of the pool, others at each visit; how long a question may be; links to tabs.

const SHOWN = { right: 3, wrong: 1, chinese: 1, other: 4 }; // examples of each kind
const NEARLY = 0.8; // of its longest, from which on a question's length is shown

function chooseExamples(group) {
  const kinds = {};
  for (const button of group.querySelectorAll(".example")) (kinds[button.dataset.kind] ??= []).push(button);
  for (const [kind, buttons] of Object.entries(kinds)) {
    const order = buttons.map((button) => [Math.random(), button]).sort(([one], [other]) => one - other);
    const chosen = new Set(order.slice(0, SHOWN[kind] ?? 1).map(([, button]) => button));
    for (const button of buttons) button.hidden = !chosen.has(button);
  }
}

function prepareFirst() {
  const group = document.querySelector("#examples .examples:not([data-chosen])");
  if (!group) return;
  group.dataset.chosen = "yes";
  chooseExamples(group);
}

function write(text) {
  const field = document.querySelector("#question textarea");
  if (!field) return;
  Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(field, text);
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
}

function openTab(name) {
  const tab = document.querySelector(`#tabs [role="tab"][data-tab-id="${name}"]`);
  tab?.click();
  if (tab) window.scrollTo({ top: 0 });
  return Boolean(tab);
}

async function copyText(text) {
  if (!text) return;
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement("textarea"); // over http from another machine there is no clipboard
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

async function copyLink(button) {
  await copyText(new URL(button.dataset.link, window.location.href.split("?")[0]).href);
  const before = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => {
    button.textContent = before;
  }, 2000);
}

// None of these can stand in a reply: what is typeset has no buttons, and no links of ours.
document.addEventListener("click", (event) => {
  const example = event.target.closest("#examples .example");
  if (example) write(example.dataset.question);
  const link = event.target.closest("a[data-tab]");
  if (link && !event.ctrlKey && !event.metaKey && openTab(link.dataset.tab)) event.preventDefault();
  const copy = event.target.closest("#facts button.copy-link");
  if (copy) copyLink(copy);
});

document.addEventListener("input", (event) => {
  if (!event.target.closest("#question")) return;
  const count = document.querySelector(".stored .count");
  const longest = Number(document.querySelector("#longest")?.dataset.characters);
  if (!count || !longest) return;
  const length = event.target.value.length;
  count.textContent = length < NEARLY * longest ? "" : `${length} of ${longest} characters`;
  count.classList.toggle("over", length > longest);
});

// A thought that is being written tells how long it has been: counted here, so that only its text need be sent.
const began = new WeakMap();
setInterval(() => {
  for (const title of document.querySelectorAll(".panel .thought-group .title")) {
    if (!/…$/.test(title.textContent.trim())) {
      delete title.dataset.seconds;
      continue;
    }
    if (!began.has(title)) began.set(title, performance.now());
    title.dataset.seconds = `${Math.round((performance.now() - began.get(title)) / 1000)} s`;
  }
}, 1000);
