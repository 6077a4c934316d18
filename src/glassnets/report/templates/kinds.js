// Rows of a table and series, in the place of the pixels of images.
const drawn = explorer;
const ofPixels = show;
{% include "draw.js" %}
show = function (sheet, picture, i) {
  sheet.replaceChildren();
  if (explorer.lines) {
    if (picture !== explorer.images) ofPixels(sheet, picture, i);
    if (picture && picture !== explorer.evidence) lines(sheet, i);
  } else if (sheet.closest(".digits")) {
    sheet.textContent = explorer.sample[i].index;
  } else if (picture === explorer.images) {
    values(sheet, i);
  } else if (picture) {
    bars(sheet, i, picture[i]);
  }
  const label = sheet.closest(".digits label");
  if (label) label.classList.add(explorer.lines ? "line" : "row");
};
document.querySelectorAll(".map").forEach((map) => { map.style.aspectRatio = ""; });
if (explorer.lines) document.getElementById("explorer").classList.add("series");
