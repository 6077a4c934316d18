const $ = (id) => document.getElementById(id);
const read = (id) => JSON.parse($(id).textContent);
const explorer = read("explorer-data");
const specs = read("charts-data");
const texts = read("texts-data");
const drawn = explorer;
const root = document.documentElement;
const [rows, columns] = explorer.size;
const count = explorer.sample.length;
const kind = explorer.rows ? "table" : explorer.lines ? "series" : "image";
document.body.classList.add(kind);

// What the page displays; the address has it too, so that a link shows the same.
const families = [...document.querySelectorAll("[data-family]")].map((card) => card.dataset.family);
const first = { image: explorer.sample[0].index, method: explorer.methods[0], family: "", overlay: false, evidence: true, compare: "", image2: explorer.sample[Math.min(1, count - 1)].index, method2: explorer.methods[Math.min(1, explorer.methods.length - 1)], lang: "", at: "" };
const state = { ...first };

function say(text, values = {}) {
  const said = texts[text] ? texts[text][state.lang] : text;
  return said.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
function preferred() {
  let kept = null;
  try { kept = localStorage.getItem("glassnets-language"); } catch { /* no storage for this page */ }
  return kept || (navigator.language.startsWith("zh") ? "zh" : "en");
}
function readAddress() {
  const text = location.hash.slice(1);
  if (!text.includes("=")) { state.at = text; return; }
  const given = new URLSearchParams(text);
  Object.assign(state, { ...first, lang: state.lang });
  const known = (name, values) => { if (values.map(String).includes(given.get(name))) state[name] = given.get(name); };
  const indices = explorer.sample.map((image) => image.index);
  for (const name of ["image", "image2"]) { known(name, indices); state[name] = Number(state[name]); }
  for (const name of ["method", "method2"]) known(name, explorer.methods);
  known("family", families);
  known("compare", ["image", "method"]);
  known("lang", ["en", "zh"]);
  for (const name of ["overlay", "evidence"]) if (given.has(name)) state[name] = given.get(name) === "1";
  state.at = given.get("at") || "";
}
function writeAddress() {
  const kept = Object.entries(state).filter(([name, value]) => ["image", "method", "lang"].includes(name) || value !== first[name]);
  const relevant = kept.filter(([name]) => (name !== "image2" || state.compare === "image") && (name !== "method2" || state.compare === "method"));
  const text = new URLSearchParams(relevant.map(([name, value]) => [name, value === true ? 1 : value === false ? 0 : value]));
  history.replaceState(null, "", `#${text}`);
}
function change(changes) {
  Object.assign(state, changes, { at: "explorer" });
  show();
}

// Pictures.
function place(sheet, picture, i) {
  sheet.style.backgroundImage = picture ? `url(${picture})` : "none";
  sheet.style.backgroundSize = `100% ${100 * count}%`;
  sheet.style.backgroundPosition = `0 ${count > 1 ? (100 * i) / (count - 1) : 0}%`;
}
function showInput(sheet, i) {
  sheet.replaceChildren();
  if (kind === "table") values(sheet, i);
  else if (kind === "series") lines(sheet, i);
  else place(sheet, explorer.images, i);
}
function showMap(sheet, maps, i) {
  sheet.replaceChildren();
  if (kind === "table") { if (maps !== undefined) bars(sheet, i, maps[i]); return; }
  place(sheet, maps === undefined ? null : explorer.pictures[maps], i);
  if (kind === "series" && maps !== undefined) lines(sheet, i);
}
const position = (index) => explorer.sample.findIndex((image) => image.index === index);
const named = (variant) => explorer.names.variants[variant][state.lang];

// A word that explains itself by a term.
function term(word, of) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "term", textContent: word });
  button.setAttribute("popovertarget", `term-${of}`);
  return button;
}

// One side of a card: an image, explained by a variant.
function showSide(side, family, i, variant) {
  const image = explorer.sample[i];
  const result = explorer.families[family][variant];
  const predicted = image.predictions[family];
  const line = side.querySelector(".predicted");
  line.textContent = say("predicts {label}", { label: predicted });
  if (predicted !== image.label) element(line, "span", { className: "wrong", textContent: say(", wrongly (label {label})", { label: image.label }) });
  const list = side.querySelector(".likeliest");
  list.replaceChildren();
  for (const [label, probability] of image.likeliest[family] || []) {
    const item = element(list, "li", {});
    element(item, "span", { textContent: label });
    element(element(item, "span", { className: "length" }), "i", {}).style.width = `${100 * probability}%`;
    element(item, "span", { textContent: percent(probability) });
  }
  const given = side.querySelector(".given-sheet");
  if (given) {
    place(given, explorer.images, i);
    given.setAttribute("aria-label", say("Image {index}, label {label}", image));
    place(side.querySelector(".under"), state.overlay ? explorer.images : null, i);
  }
  const map = side.querySelector(".attribution");
  showMap(map, result && result.maps, i);
  map.setAttribute("aria-label", result ? say("map by {method} for {family}", { method: named(variant), family }) : say("no map"));
  place(side.querySelector(".over"), state.evidence ? explorer.evidence : null, i);
  side.classList.toggle("doubtful", Boolean(result && result.doubtful));
  side.classList.toggle("undecided", Boolean(result && result.value === "undecided"));
  const marks = { holds: "✓", undecided: "?", fails: "✗", control: "■" };
  const verdict = side.querySelector(".verdict");
  verdict.textContent = result ? ` ${result.verdict[state.lang]}` : say("Not defined for this family.");
  if (result && marks[result.value]) verdict.prepend(term(marks[result.value], result.value));
  const scores = side.querySelector(".scores");
  scores.replaceChildren();
  side.querySelector(".of-scores").hidden = !result;
  for (const [heading, text] of result ? result.scores : []) {
    const own = explorer.headings[heading];
    element(scores, "dt", {}).append(term(own[state.lang], own.term));
    element(scores, "dd", { textContent: text });
  }
}
function percent(share) {
  if (share > 0.9995) return "> 99.9 %";
  return share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`;
}

// The controls, made anew where the language changes.
function options(select, offered, value) {
  select.replaceChildren(...offered.map(([text, name]) => new Option(text, name)));
  select.value = value;
}
function offerMethod(method, reference, variant) {
  const [own, of = ""] = variant.split(":");
  const methods = [...new Set(explorer.methods.map((each) => each.split(":")[0]))];
  options(method, methods.map((name) => [explorer.names.methods[name][state.lang], name]), own);
  const references = explorer.methods.map((each) => each.split(":")).filter(([name, ref]) => name === own && ref).map(([, ref]) => ref);
  options(reference, references.map((name) => [explorer.names.references[name][state.lang], name]), of);
  reference.disabled = !references.length;
}
function chosenVariant(method, reference) {
  const own = explorer.methods.filter((each) => each.split(":")[0] === method.value);
  const exact = reference.value ? `${method.value}:${reference.value}` : method.value;
  return own.includes(exact) ? exact : own[0];
}
function describe(image) { return say("{index}: label {label}, {kind}", { index: image.index, label: image.label, kind: spoken(image.kind) }); }
function spoken(kindOfImage) {
  return { "families disagree": say("families disagree"), "all are wrong": say("all are wrong"), "all are right": say("all are right") }[kindOfImage];
}
function digits() {
  const groups = $("digits");
  groups.replaceChildren();
  for (const group of KINDS) {
    const members = explorer.sample.map((s, i) => [s, i]).filter(([s]) => s.kind === group);
    if (!members.length) continue;
    const field = element(groups, "fieldset", {});
    element(field, "legend", { textContent: `${spoken(group)} (${members.length})` });
    const list = element(field, "div", { className: "digits" });
    for (const [image, i] of members) {
      const label = element(list, "label", { className: { table: "row", series: "line", image: "" }[kind] });
      const input = element(label, "input", { type: "radio", name: "image", value: image.index, checked: image.index === state.image });
      input.setAttribute("aria-label", say("image {index}, label {label}, {kind}", { index: image.index, label: image.label, kind: spoken(image.kind) }));
      input.addEventListener("change", () => change({ image: image.index }));
      const sheet = element(label, "span", { className: "sheet" });
      if (kind === "table") sheet.textContent = image.index;
      else showInput(sheet, i);
    }
  }
}
function offer() {
  offerMethod($("method"), $("reference"), state.method);
  offerMethod($("method-b"), $("reference-b"), state.method2);
  options($("family"), [[say("all"), ""], ...families.map((name) => [cardOf(name).querySelector(`h3 .${state.lang}`)?.textContent || cardOf(name).querySelector("h3").textContent, name])], state.family);
  options($("compare"), [[say("nothing"), ""], [say("another image"), "image"], [say("another method"), "method"]], state.compare);
  options($("image-b"), explorer.sample.map((image) => [describe(image), image.index]), state.image2);
}
const cardOf = (family) => document.querySelector(`[data-family="${family}"]`);

function show() {
  const i = position(state.image);
  const image = explorer.sample[i];
  offer();
  if ($("overlay")) $("overlay").checked = state.overlay;
  $("evidence").checked = state.evidence;
  $("explorer").classList.toggle("overlaid", state.overlay && kind === "image");
  $("explorer").classList.toggle("comparing", Boolean(state.compare));
  $("others").hidden = !state.compare;
  $("image-b").parentElement.hidden = state.compare !== "image";
  for (const id of ["method-b", "reference-b"]) $(id).parentElement.hidden = state.compare !== "method";
  const checked = document.querySelector(`input[name=image][value="${state.image}"]`);
  if (checked) checked.checked = true;
  const j = state.compare === "image" ? position(state.image2) : i;
  const other = state.compare === "method" ? state.method2 : state.method;
  $("chosen").textContent = say("Image {index}, label {label}: {kind}. Method: {method}. Networks of seed {seed}.", { index: image.index, label: image.label, kind: spoken(image.kind), method: named(state.method), seed: explorer.seed });
  if ($("image")) {
    showInput($("image"), i);
    $("image").setAttribute("aria-label", say("Image {index}, label {label}", image));
  }
  for (const family of families) {
    const card = cardOf(family);
    card.hidden = Boolean(state.family) && state.family !== family;
    const [a, b] = card.querySelectorAll(".side");
    showSide(a, family, i, state.method);
    b.hidden = !state.compare;
    if (state.compare) showSide(b, family, j, other);
    for (const [side, at, variant] of [[a, i, state.method], [b, j, other]]) {
      const what = side.querySelector(".what");
      what.hidden = !state.compare;
      what.textContent = state.compare === "method" ? named(variant) : say("Image {index}, label {label}", explorer.sample[at]);
    }
  }
  const [method, reference] = state.method.split(":");
  $("command").textContent = `glassnets explain --dataset ${explorer.dataset} --row ${state.image} --family ${state.family || "all"} --method ${method}${reference ? ` --reference ${reference}` : ""}`;
  writeAddress();
}

// The language.
function speak(language) {
  state.lang = language;
  root.lang = { en: "en", zh: "zh-Hans" }[language];
  root.dataset.languageShown = language;
  for (const button of document.querySelectorAll("[data-language]")) button.setAttribute("aria-pressed", String(button.dataset.language === language));
  for (const name of ["aria-label", "alt"]) {
    for (const each of document.querySelectorAll(`[data-${name}-${language}]`)) each.setAttribute(name, each.getAttribute(`data-${name}-${language}`));
  }
  digits();
  show();
  drawAll();
}

// Charts: all of them at once after the explorer, a turn of the browser each, for there are many.
const config = { background: "transparent", view: { stroke: null }, font: "system-ui, sans-serif", axis: { labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelLimit: 220 } };
let turn = 0;
const views = new Map();
async function drawAll() {
  const own = ++turn;
  const places = [...document.querySelectorAll("[data-chart]")];
  root.dataset.charts = "drawing";
  for (const chart of places) {
    if (own !== turn) return;
    const spec = specs[state.lang][chart.dataset.chart];
    views.get(chart)?.finalize();
    if (spec) views.set(chart, await vegaEmbed(chart, spec, { actions: false, renderer: "svg", config }));
    await new Promise((next) => setTimeout(next));
  }
  if (own === turn) root.dataset.charts = "drawn";
}

// What is folded is open on paper, all but the long list of parameters.
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open]):not(.long)")];
  for (const each of opened) each.open = true;
});
addEventListener("afterprint", () => { for (const each of opened) each.open = false; });

// A term's meaning stands below the word that was pressed.
let pressed = null;
addEventListener("click", (event) => { pressed = event.target.closest(".term"); }, true);
for (const tip of document.querySelectorAll("[popover]")) {
  tip.addEventListener("beforetoggle", (event) => {
    if (event.newState !== "open" || !pressed) return;
    const box = pressed.getBoundingClientRect();
    const low = box.bottom > innerHeight - 160;
    tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - 400))}px`;
    tip.style.top = low ? "auto" : `${box.bottom + 4}px`;
    tip.style.bottom = low ? `${innerHeight - box.top + 4}px` : "auto";
  });
}

document.querySelectorAll(".map").forEach((map) => { if (kind === "image") map.style.aspectRatio = `${columns} / ${rows}`; });
$("truth").hidden = !explorer.evidence;
const listen = (id, changes) => { if ($(id)) $(id).addEventListener("change", () => change(changes())); };
listen("method", () => ({ method: chosenVariant($("method"), $("reference")) }));
listen("reference", () => ({ method: chosenVariant($("method"), $("reference")) }));
listen("method-b", () => ({ method2: chosenVariant($("method-b"), $("reference-b")) }));
listen("reference-b", () => ({ method2: chosenVariant($("method-b"), $("reference-b")) }));
listen("image-b", () => ({ image2: Number($("image-b").value) }));
listen("family", () => ({ family: $("family").value }));
listen("compare", () => ({ compare: $("compare").value }));
listen("overlay", () => ({ overlay: $("overlay").checked }));
listen("evidence", () => ({ evidence: $("evidence").checked }));
for (const button of document.querySelectorAll("[data-language]")) {
  button.addEventListener("click", () => {
    try { localStorage.setItem("glassnets-language", button.dataset.language); } catch { /* kept in the address alone */ }
    speak(button.dataset.language);
  });
}
for (const link of document.querySelectorAll("[data-example]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    change({ method: link.dataset.example, image: explorer.sample[example].index, family: "" });
    $("explorer").scrollIntoView();
  });
}
addEventListener("hashchange", () => {
  const before = state.lang;
  readAddress();
  if (state.lang !== before) speak(state.lang);
  else show();
});

state.lang = preferred();
readAddress();
const example = Math.max(0, explorer.sample.findIndex((image) => image.kind === "all are right"));
for (const thumb of document.querySelectorAll("[data-thumb]")) {
  const result = explorer.families[thumb.dataset.thumb][thumb.closest("a").dataset.example];
  showMap(thumb, result && result.maps, example);
}
speak(state.lang);
if (state.at && $(state.at)) $(state.at).scrollIntoView();
