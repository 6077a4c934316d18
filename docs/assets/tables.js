// The theme lays a wide table into a box that scrolls, which the keyboard reaches only so.
const reach = () => document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])").forEach((box) => { box.tabIndex = 0; });
new MutationObserver(reach).observe(document.body, { childList: true, subtree: true });
reach();
