// Tables sort by the column whose head is pressed; without a script they read as they are.
document.querySelectorAll("table.sortable").forEach((table) => {
  const value = (row, at) => row.cells[at].textContent.trim();
  [...table.tHead.rows[0].cells].forEach((head, at) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "sort" });
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0];
      const order = (a, b) => {
        const [x, y] = [value(a, at), value(b, at)], [m, n] = [parseFloat(x), parseFloat(y)];
        if (!x || !y) return !x - !y; // what is empty comes last, up or down
        const sign = isNaN(m) || isNaN(n) ? x.localeCompare(y) : m - n;
        return down ? -sign : sign;
      };
      body.append(...[...body.rows].sort(order));
    });
  });
});
document.querySelectorAll("input.pick").forEach((input) => {
  const body = document.getElementById(input.dataset.table).tBodies[0];
  input.parentElement.hidden = false;
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase().split(/\s+/);
    for (const row of body.rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
    }
  });
});
