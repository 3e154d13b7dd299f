// A slider shows one position of a chart that holds all; without a script a still chart shows a few.
document.querySelectorAll(".slider").forEach((box) => {
  const { positions, readings } = JSON.parse(box.dataset.said);
  const range = box.querySelector("input");
  const show = () => {
    const at = +range.value;
    box.querySelectorAll("[data-at]").forEach((lines) => (lines.style.display = +lines.dataset.at === at ? "" : "none"));
    box.querySelector("output").textContent = positions[at];
    range.setAttribute("aria-valuetext", positions[at]);
    box.querySelector(".readings").textContent = Object.entries(readings).map(([text, all]) => `${text}: ${all[at]}`).join("; ");
  };
  range.addEventListener("input", show);
  box.parentElement.classList.add("moves");
  show();
});
