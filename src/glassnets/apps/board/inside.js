// The look inside a network, on the page of the board, which brings `$`, `percent` and `input()`:
// the body of a request and whether it was drawn, null where there is nothing to look at.
const inside = $("inside");
const insideFamily = $("inside-family");
let predicted = false;  // whether there is something to look at
let silenced = null;    // a unit: its layer and number
let looking = false;
let lookAgain = false;

function look() {
  if (!predicted) { showInside(null); tell("Units answer once there are predictions."); } else if (inside.open) ask();
}
// One request at a time; while it is open, only the newest change waits.
async function ask() {
  if (looking) { lookAgain = true; return; }
  looking = true;
  lookAgain = false;
  const slow = setTimeout(() => tell(`Looking inside ${insideFamily.value} …`), 400);
  try {
    const given = await input();
    if (!given) return;
    const query = new URLSearchParams({ family: insideFamily.value, drawn: given.drawn, ...silenced });
    const response = await fetch(`inside?${query}`, { method: "POST", body: given.body });
    const result = await response.json();
    if (!predicted) return;
    showInside(response.ok ? result : null);
    if (response.ok) tell(lost(result.lesion));
    else tell(result.detail, true);
  } catch {
    tell("The server does not respond: is `glassnets board` still running?", true);
  } finally {
    clearTimeout(slow);
    looking = false;
    if (lookAgain) look();
  }
}
function tell(message, error = false) {
  $("inside-status").textContent = message;
  $("inside-status").classList.toggle("error", error);
}
function difference(value, digits, unit = "") {
  const least = 10 ** -digits;
  if (value === 0) return "unchanged";
  if (Math.abs(value) < least) return `changed by less than ${least.toFixed(digits)}${unit}`;
  return `changed by ${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}${unit}`;
}
function lost(lesion) {
  if (!lesion) return "All units are on.";
  const { intact, silenced: off, answer } = lesion;
  const change = off.predicted === answer ? `still predicts ${answer}` : `predicts ${off.predicted} in place of ${answer}`;
  const points = difference(100 * (off.probability - intact.probability), 2, " points");
  const loss = difference(off.log_loss - intact.log_loss, 4);
  return `Without unit ${lesion.unit} of ${lesion.layer}, ${insideFamily.value} ${change}. Probability of ${answer}: ${percent(intact.probability)} before, ${percent(off.probability)} now (${points}). Log loss of ${answer}: ${loss}.`;
}
function showInside(result) {
  const focused = document.activeElement && document.activeElement.id;
  const lesion = result && result.lesion;
  $("lesion").hidden = !lesion;
  $("switch-on").hidden = !silenced;
  if (silenced) $("switch-on").textContent = `Switch unit ${silenced.unit} of ${silenced.layer} on again`;
  if (lesion) {
    $("without").textContent = `without unit ${lesion.unit} of ${lesion.layer}`;
    const probabilities = lesion.intact.probabilities.flatMap((each, k) => [each, lesion.silenced.probabilities[k]]);
    document.querySelectorAll("#lesion .share").forEach((share, i) => {
      share.querySelector("meter").value = probabilities[i];
      share.querySelector(".percent").textContent = percent(probabilities[i]);
    });
  }
  const layers = result ? result.layers : [];
  $("layers").replaceChildren(...layers.map(card));
  $("measured").hidden = !layers.some((layer) => layer.most.some((unit) => unit.prefers));
  // The button that was pressed is a new one now.
  if (focused && !document.activeElement.id) ($(focused) || $("switch-on")).focus();
}
function node(name, text = "", properties = {}) {
  return Object.assign(document.createElement(name), { textContent: text, ...properties });
}
function card(layer) {
  const made = node("div", "", { className: "card" });
  const wide = node("div", "", { className: "wide" });
  const table = node("table");
  const prefers = layer.most.some((unit) => unit.prefers);
  const headings = ["unit", "activation", ...(prefers ? ["prefers"] : []), ""];
  const head = table.createTHead().insertRow();
  for (const heading of headings) head.append(heading ? node("th", heading, { scope: "col" }) : node("td"));
  const body = table.createTBody();
  for (const unit of layer.most) {
    const row = body.insertRow();
    const off = Boolean(silenced) && silenced.layer === layer.name && silenced.unit === unit.unit;
    row.className = off ? "off" : "";
    row.append(node("th", unit.unit, { scope: "row" }), node("td", unit.activation.toFixed(2).replace("-", "−")));
    if (prefers) row.append(node("td", preference(unit.prefers)));
    const button = node("button", off ? "Switch on" : "Switch off", { type: "button", id: `unit-${layer.name}-${unit.unit}` });
    button.setAttribute("aria-label", `${button.textContent} unit ${unit.unit} of ${layer.name}`);
    button.addEventListener("click", () => silence(off ? null : { layer: layer.name, unit: unit.unit }));
    const last = node("td");
    last.append(button);
    row.append(last);
  }
  wide.append(table);
  made.append(node("h3", `${layer.name}: ${layer.units} units`), wide);
  return made;
}
function preference(prefers) {
  if (!prefers || prefers.auc === null) return "";
  const by = prefers.selectivity === null ? `AUC\u00a0${prefers.auc.toFixed(2)}` : prefers.selectivity.toFixed(2).replace("-", "−");
  return prefers.selective ? `${prefers.class} (${by})` : `none shown (${by})`;
}
function silence(unit) {
  silenced = unit;
  look();
}
inside.addEventListener("toggle", look);
insideFamily.addEventListener("change", () => silence(null));
$("switch-on").addEventListener("click", () => { silence(null); insideFamily.focus(); });
