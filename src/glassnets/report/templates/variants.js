// The selects of a method and of its reference, which choose a variant, and its verdict on a card.
const method = document.getElementById("method");
const reference = document.getElementById("reference");
let variants = [];
function offerMethods(names) {
  variants = names.map((name) => name.split(":"));
  for (const name of new Set(variants.map(([name]) => name))) method.add(new Option(name.replaceAll("_", " "), name));
  offerReferences();
}
function offerReferences() {
  const kept = reference.value;
  const offered = variants.filter(([name, own]) => own && name === method.value).map(([, own]) => own);
  reference.replaceChildren(...offered.map((own) => new Option(own, own)));
  if (offered.includes(kept)) reference.value = kept;
  reference.disabled = !offered.length;
}
function variant() { return reference.value ? `${method.value}:${reference.value}` : method.value; }
function titled() { return variant().replaceAll("_", " ").replace(":", ", reference "); }
function showVerdict(card, result, otherwise) {
  card.classList.toggle("doubtful", Boolean(result && result.doubtful));
  card.classList.toggle("undecided", Boolean(result && result.value === "undecided"));
  card.querySelector(".verdict").textContent = result ? `${result.doubtful ? "⚠ " : ""}${result.verdict}` : otherwise;
  const list = card.querySelector(".scores");
  list.replaceChildren();
  for (const [heading, value] of result ? result.scores : []) {
    // An arrow stays in the line of its heading.
    list.appendChild(document.createElement("dt")).textContent = heading.replace(/ (→ 0|.)$/, "\u00a0$1").replace("→ 0", "→\u00a00");
    list.appendChild(document.createElement("dd")).textContent = value;
  }
}
