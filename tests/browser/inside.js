// Runs inside the page and says, as a list of sentences, what is wrong with its layout.
"use strict";
(() => {
  const named = element => {
    const id = element.closest("[id]");
    const text = (element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 50);
    return `<${element.tagName.toLowerCase()}${element.className && element.className.baseVal === undefined ? "." + element.className : ""}> in #${id ? id.id : "?"} “${text}”`;
  };
  const isSeen = element => {
    const style = getComputedStyle(element);
    return style.visibility !== "hidden" && element.checkVisibility() && !element.closest(".unseen, .skip");
  };
  const round = box => [box.left, box.top, box.right, box.bottom].map(value => Math.round(value)).join(",");

  // Every line of text that is drawn, with the element that it belongs to.
  const lines = () => {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (!node.textContent.trim() || /^(SCRIPT|STYLE|TITLE|DESC|TEXTAREA)$/i.test(element.tagName) || !isSeen(element)) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      for (const box of range.getClientRects()) {
        if (box.width > 0.5 && box.height > 0.5) found.push({ box, element, node });
      }
    }
    return found;
  };

  // The nearest ancestor that scrolls: what lies outside it is out of sight, and meant to be.
  const frame = element => {
    for (let up = element.parentElement; up; up = up.parentElement) {
      const style = getComputedStyle(up);
      if (/auto|scroll|hidden|clip/.test(style.overflowX + style.overflowY)) return up;
    }
    return null;
  };

  const overlaps = all => {
    const wrong = [];
    const sorted = [...all].sort((a, b) => a.box.top - b.box.top);
    const frames = new Map(sorted.map(line => [line, frame(line.element)]));
    let start = 0;
    sorted.forEach((line, index) => {
      while (sorted[start].box.bottom < line.box.top - 400) start += 1;
      for (let other = start; other < index; other += 1) {
        const [a, b] = [sorted[other].box, line.box];
        if (sorted[other].node === line.node || frames.get(sorted[other]) !== frames.get(line)) continue;
        const [width, height] = [Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
        // a line's box is taller than its letters
        if (width > 1.5 && height > 0.3 * Math.min(a.height, b.height)) wrong.push(`${named(sorted[other].element)} (${round(a)}) overlaps ${named(line.element)} (${round(b)})`);
      }
    });
    return wrong;
  };

  // Whether a line lies inside the box that it was set in, and inside the page where nothing scrolls.
  const outside = all => {
    const wrong = [];
    for (const { box, element } of all) {
      const svg = element.closest("svg");
      const block = svg || element.closest("td, th, li, p, h1, h2, h3, article, figcaption, summary, blockquote, dt, dd, button, caption, a, div");
      const around = block.getBoundingClientRect();
      if (box.left < around.left - 1.5 || box.right > around.right + 1.5) wrong.push(`${named(element)} (${round(box)}) leaves ${named(block).slice(0, 60)} (${round(around)})`);
      if (svg && (box.top < around.top - 1.5 || box.bottom > around.bottom + 1.5)) wrong.push(`${named(element)} (${round(box)}) leaves its drawing (${round(around)})`);
      const scrolls = frame(element);
      if (!scrolls && (box.left < -0.5 || box.right > document.documentElement.clientWidth + 0.5)) wrong.push(`${named(element)} (${round(box)}) leaves the page`);
    }
    return wrong;
  };

  const MARKS = "path, circle, rect, line, polyline, polygon, ellipse";
  const isNumber = text => !/nan|infinity|undefined|null/i.test(text);
  const figures = () => {
    const wrong = [];
    const all = document.querySelectorAll("figure svg");
    for (const svg of all) {
      const around = svg.getBoundingClientRect();
      if (around.width < 200 || around.height < 60) wrong.push(`${named(svg)} is ${round(around)}`);
      const marks = [...svg.querySelectorAll(MARKS)].filter(mark => !mark.closest("defs, clipPath"));
      if (marks.length < 3) wrong.push(`${named(svg)} has ${marks.length} marks`);
      let drawn = 0;
      for (const mark of marks) {
        for (const { name, value } of mark.attributes) {
          if (!isNumber(value)) wrong.push(`${named(mark)} has ${name}="${value.slice(0, 60)}"`);
        }
        const box = mark.getBoundingClientRect();
        if (![box.left, box.top, box.right, box.bottom].every(Number.isFinite)) wrong.push(`${named(mark)} has no place`);
        if (box.left < around.left - 2 || box.right > around.right + 2 || box.top < around.top - 2 || box.bottom > around.bottom + 2) wrong.push(`a ${mark.tagName} of ${named(svg)} (${round(box)}) leaves its frame (${round(around)})`);
        if (box.width + box.height > 1) drawn += 1;
      }
      if (drawn < 3) wrong.push(`${named(svg)} shows ${drawn} marks`);
    }
    return wrong;
  };

  const page = () => {
    const wrong = [];
    const root = document.documentElement;
    if (root.scrollWidth > root.clientWidth + 1) wrong.push(`the page is ${root.scrollWidth} wide on a screen of ${root.clientWidth}`);
    return wrong;
  };

  // On a wide screen nothing has to be scrolled sideways to be read.
  const cut = () => {
    const all = [...document.querySelectorAll(".scroll, .drawing")].filter(box => !box.closest("details") && box.scrollWidth > box.clientWidth + 1);
    return document.documentElement.clientWidth < 1200 ? [] : all.map(box => `${named(box)} is ${box.scrollWidth} wide in ${box.clientWidth}`);
  };

  window.mmfndLayout = () => {
    const all = lines();
    if (all.length < 100) return [`only ${all.length} lines of text`];
    return [...page(), ...cut(), ...figures(), ...overlaps(all), ...outside(all)];
  };

  // Sorts each table by each column, both ways, and looks whether it is.
  window.mmfndSort = () => {
    const wrong = [];
    for (const table of document.querySelectorAll("table")) {
      const before = table.tBodies[0].rows.length;
      if (before < 2) continue;
      const heads = [...table.querySelectorAll("tr.names th")];
      if (heads.length === 0) wrong.push(`${named(table)} cannot be sorted`);
      heads.forEach((head, column) => {
        for (const way of ["descending", "ascending"]) {
          head.querySelector("button").click();
          if (head.getAttribute("aria-sort") !== way) wrong.push(`${named(head)} says ${head.getAttribute("aria-sort")}`);
          const cells = [...table.tBodies[0].rows].map(row => row.children[column].dataset.value);
          const values = cells.filter(value => value !== undefined).map(Number);
          const inOrder = values.every((value, i) => i === 0 || (way === "descending" ? values[i - 1] >= value : values[i - 1] <= value));
          if (!inOrder || cells.length !== before) wrong.push(`${named(head)} is not sorted ${way}`);
        }
      });
    }
    return wrong;
  };
})();
