// The selects of a method and of its reference: between them they choose a variant.
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
