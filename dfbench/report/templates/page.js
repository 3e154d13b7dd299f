const open = (node) => {
  for (; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
};
const follow = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (!target) return;
  open(target);
  const folded = target.querySelector(":scope > details");
  if (folded) folded.open = true;
  target.scrollIntoView();
};
addEventListener("hashchange", follow);
document.querySelectorAll("pre").forEach((pre) => {
  const button = Object.assign(document.createElement("button"), { className: "copy", type: "button", textContent: "Copy" });
  const box = Object.assign(document.createElement("div"), { className: "code" });
  pre.replaceWith(box);
  box.append(pre, button);
});
follow();
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => (d.open = true)));
document.addEventListener("click", async (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (link && link.hash === location.hash) follow();
  const button = event.target.closest("button.copy");
  if (!button) return;
  const code = button.previousElementSibling.firstChild;
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
});
