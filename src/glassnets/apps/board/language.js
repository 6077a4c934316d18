// The page in Chinese. Each text of the page is looked up in the catalogue, English to Chinese, whatever
// wrote it; not within `translate="no"`, where a person's own names are. In the catalogue {name} stands for
// any text, and where the Chinese has {name*} for one that is in the catalogue too.
const CATALOGUE = {% include "zh.json" %};
const ATTRIBUTES = ["aria-label", "alt", "title", "placeholder"];
const languageButtons = [...document.querySelectorAll("[data-language]")];
const translated = new WeakMap();  // of each node by attribute ("" of a text): its English, and what it has now
let language = "en";

function pattern(english) {
  const chinese = CATALOGUE[english];
  const any = (name) => (chinese.includes(`{${name}*}`) ? `(?<${name}>.+?)` : `(?<${name}>(?:(?!; ).)+?)`);
  const escaped = english.replace(/\{(\w+)\}|[.*+?^${}()|[\]\\]/g, (found, name) => (name ? any(name) : `\\${found}`));
  return { expression: new RegExp(`^${escaped}$`), chinese, letters: english.replace(/\{\w+\}/g, "").length };
}
// The most letters first: of two that match, the one that leaves less open.
const PATTERNS = Object.keys(CATALOGUE).filter((english) => english.includes("{")).map(pattern).sort((a, b) => b.letters - a.letters);

// A text in Chinese, null where the catalogue has not all of it; of several, "; " between them, each.
function found(english) {
  if (!/[a-z]{2}/i.test(english)) return english;
  if (Object.hasOwn(CATALOGUE, english)) return CATALOGUE[english];
  const parts = english.split("; ");
  const each = parts.length > 1 ? parts.map(found) : [null];
  if (!each.includes(null)) return each.join("；");
  for (const { expression, chinese } of PATTERNS) {
    const match = expression.exec(english);
    if (!match) continue;
    const again = [...chinese.matchAll(/\{(\w+)\*\}/g)].map(([, name]) => [name, found(match.groups[name])]);
    const values = { ...match.groups, ...Object.fromEntries(again) };
    if (!Object.values(values).includes(null)) return chinese.replace(/\{(\w+)\*?\}/g, (_, name) => values[name]);
  }
  return null;
}
function inChinese(english) { return found(english) ?? english; }
function translateText(node, attribute = "") {
  const present = attribute ? node.getAttribute(attribute) : node.nodeValue;
  if (!present || !present.trim()) return;
  if (!translated.has(node)) translated.set(node, {});
  const known = translated.get(node)[attribute];
  const english = known && known.now === present ? known.english : present;  // else it was written anew
  const now = language === "en" ? english : english.replace(/\S(.*\S)?/s, (text) => inChinese(text.replace(/\s+/g, " ")));
  translated.get(node)[attribute] = { english, now };
  if (now === present) return;
  if (attribute) node.setAttribute(attribute, now); else node.nodeValue = now;
}
function translate(node) {
  const text = node.nodeType === Node.TEXT_NODE;
  const element = text ? node.parentElement : node;
  if (!element || !element.closest || element.closest("script, style, [translate=no]")) return;
  if (text) { translateText(node); return; }
  for (const attribute of ATTRIBUTES) translateText(node, attribute);
  node.childNodes.forEach(translate);
}
function setLanguage(chosen) {
  language = chosen.startsWith("zh") ? "zh" : "en";
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  for (const button of languageButtons) button.setAttribute("aria-pressed", button.dataset.language === language);
  translate(document.documentElement);
}
function remember(chosen) {
  try { localStorage.setItem("glassnets-language", chosen); } catch { /* a browser that stores nothing */ }
  return chosen;
}
function remembered() {
  try { return localStorage.getItem("glassnets-language"); } catch { return null; }
}
for (const button of languageButtons) button.addEventListener("click", () => setLanguage(remember(button.dataset.language)));
new MutationObserver((changes) => {
  for (const { type, target, addedNodes } of changes) (type === "childList" ? [...addedNodes] : [target]).forEach(translate);
}).observe(document.documentElement, { subtree: true, childList: true, characterData: true, attributeFilter: ATTRIBUTES });
const inAddress = new URLSearchParams(location.search).get("lang");
setLanguage(inAddress ? remember(inAddress) : remembered() || navigator.language);
