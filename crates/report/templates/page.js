"use strict";
(() => {
  const say = text => { document.getElementById("said").textContent = text; };
  const button = (text, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", act);
    return made;
  };
  const text = cell => cell.textContent.trim();

  const sort = (table, head) => {
    const column = [...head.parentNode.children].indexOf(head);
    const falls = head.getAttribute("aria-sort") !== "descending";
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falls ? "descending" : "ascending");
    const body = table.tBodies[0];
    const value = row => {
      const cell = row.children[column];
      return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
    };
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === null && y === null) return text(a.children[column]).localeCompare(text(b.children[column])) * (falls ? -1 : 1);
      if (x === null) return 1;
      if (y === null) return -1;
      return falls ? y - x : x - y;
    });
    body.append(...rows);
    say(`Sorted by ${text(head)}, ${falls ? "largest" : "smallest"} first.`);
  };

  const copy = table => {
    const rows = [...table.querySelectorAll("tr.names, tbody tr")];
    const lines = rows.map(row => [...row.children].map(cell => text(cell).replace(/\s+/g, " ")).join("\t"));
    const done = () => say("Copied.");
    const tsv = lines.join("\n") + "\n";
    if (navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(tsv).then(done, () => byHand(tsv, done));
    else byHand(tsv, done);
  };
  const byHand = (tsv, done) => {
    const field = document.createElement("textarea");
    field.value = tsv;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    done();
  };

  const save = figure => {
    const svg = figure.querySelector("svg");
    const style = getComputedStyle(document.documentElement);
    const source = new XMLSerializer().serializeToString(svg).replace(/var\((--[a-z0-9-]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([source], { type: "image/svg+xml" }));
    link.download = `${figure.dataset.file}.svg`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    say("Saved.");
  };

  for (const table of document.querySelectorAll("table")) {
    if (table.tBodies[0].rows.length > 1) {
      for (const head of table.querySelectorAll("tr.names th")) {
        const inside = button(text(head), () => sort(table, head));
        head.replaceChildren(inside);
      }
    }
    const name = text(table.caption);
    const tools = document.createElement("div");
    tools.className = "tools";
    const made = button("Copy as TSV", () => copy(table));
    made.setAttribute("aria-label", `Copy as TSV: ${name}`);
    tools.append(made);
    table.parentNode.parentNode.append(tools);
  }
  for (const figure of document.querySelectorAll("figure")) {
    const made = button("Save SVG", () => save(figure));
    made.setAttribute("aria-label", `Save SVG: ${text(figure.querySelector(".title"))}`);
    const tools = document.createElement("div");
    tools.className = "tools";
    tools.append(made);
    figure.append(tools);
  }
})();
