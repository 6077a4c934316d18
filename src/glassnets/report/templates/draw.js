// Lines of series, and bars of columns, of `drawn`: its columns, and of each input rows or lines.
const LINES = ["#222222", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
function element(parent, tag, properties) { return Object.assign(parent.appendChild(document.createElement(tag)), properties); }
function lines(sheet, i) {
  const space = "http://www.w3.org/2000/svg";
  const svg = sheet.appendChild(document.createElementNS(space, "svg"));
  svg.setAttribute("viewBox", "0 0 100 100");
  svg.setAttribute("preserveAspectRatio", "none");
  drawn.lines[i].forEach((points, channel) => {
    const line = svg.appendChild(document.createElementNS(space, "polyline"));
    line.setAttribute("points", points);
    line.setAttribute("stroke", LINES[channel % LINES.length]);
  });
}
function values(sheet, i) {
  const list = element(sheet, "div", { className: "values" });
  drawn.rows[i].forEach((value, column) => {
    element(list, "span", { textContent: drawn.columns[column] });
    element(list, "strong", { textContent: value });
  });
}
function bars(sheet, i, map) {
  const numbers = map.map(([, number]) => number);
  const low = Math.min(0, ...numbers);
  const span = Math.max(0, ...numbers) - low || 1;
  const list = element(sheet, "div", { className: "bars" });
  for (const [column, number] of map) {
    const name = column < 0 ? `${-column} others, summed` : `${drawn.columns[column]} = ${drawn.rows[i][column]}`;
    element(list, "span", { className: "name", textContent: name, title: name });
    const bar = element(element(list, "span", { className: "bar" }), "i", { title: `${number}` });
    bar.style.left = `${(100 * (Math.min(0, number) - low)) / span}%`;
    bar.style.width = `${(100 * Math.abs(number)) / span}%`;
    bar.style.background = number > 0 ? "#B2182B" : "#2166AC";
  }
}
