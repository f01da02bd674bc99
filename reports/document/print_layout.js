// Before a page is printed: a figure with much of a page blank above it is drawn smaller, so that
// it fits there, or stands after what follows it, a table there in narrower rows if it then fits;
// one with much blank below it is drawn smaller if what follows it then fits. The pages are measured
// as columns of their size, which break as pages do; then the columns are taken away again.
(() => {
  const BLANK = 0.12, SMALLEST = 0.75, FURTHEST = 9, GAP = 40; // shares; blocks; px
  const main = document.querySelector("main");
  const rules = [...document.styleSheets].flatMap(sheet => [...sheet.cssRules]);
  const paged = rules.filter(rule => rule instanceof CSSPageRule && rule.style.margin).pop();
  if (!main || !paged) return;
  const inches = text => CSS.supports("width", text) ? parseFloat(text) / 25.4 : 0; // from mm
  const [above, beside] = paged.style.margin.split(" ").map(inches);
  const height = (297 / 25.4 - 2 * above) * 96, width = (210 / 25.4 - 2 * beside) * 96;
  const printed = rules.filter(rule => rule instanceof CSSMediaRule && rule.conditionText === "print");
  const place = (element, last) => { // the page it begins or ends on, and how far down
    const boxes = element.getClientRects(), box = boxes[last ? boxes.length - 1 : 0];
    const page = Math.round((box.left - main.getBoundingClientRect().left) / (width + GAP) - 0.3);
    return [page, (last ? box.bottom : box.top) - main.getBoundingClientRect().top];
  };
  const next = block => block.nextElementSibling
    ?? block.parentElement.nextElementSibling?.firstElementChild;
  const blank = (first, figure) => { // the most that is left of a page between the two
    let most = 0;
    for (let block = first; block && block !== figure; block = next(block)) {
      const [page, foot] = place(block, true);
      if (place(next(block), false)[0] > page) most = Math.max(most, height - foot);
    }
    return most;
  };
  const ended = () => { const [page, foot] = place(main.lastElementChild, true); return page * height + foot; };
  const leads = block => block?.matches("p") && block.nextElementSibling?.matches(".scroll, ul, ol, pre");
  const later = function* (figure) { // the blocks that it may stand after, no figure among them
    let block = next(figure);
    for (let k = 0; k < FURTHEST && block?.matches("p, ul, ol, .scroll, h2"); k += 1) {
      const after = next(block);
      if (!block.matches("h2") && !leads(block)) yield block;
      block = after;
    }
  };

  const makeRoom = figure => { // drawn smaller where what follows it then stands on its page
    const picture = figure.querySelector("svg"), after = next(figure);
    if (!picture || !after) return;
    const [page, foot] = place(figure, true);
    if (height - foot < BLANK * height || place(after, false)[0] === page) return;
    const whole = picture.getBoundingClientRect().width, held = picture.style.width;
    for (let share = 0.95; share >= SMALLEST; share -= 0.05) {
      picture.style.width = `${share * whole}px`;
      if (place(figure, true)[0] === page && place(after, false)[0] === page) return;
    }
    picture.style.width = held;
  };

  const settle = figure => {
    const picture = figure.querySelector("svg"), before = figure.previousElementSibling;
    if (!picture || !before?.matches(":not(h2)")) return;
    const left = blank(before, figure);
    if (left < BLANK * height) return;
    const box = picture.getBoundingClientRect(), margin = parseFloat(getComputedStyle(figure).marginTop);
    const less = figure.getBoundingClientRect().height + margin + 12 - left;
    if (box.height - less >= SMALLEST * box.height) {
      picture.style.width = `${box.width * (1 - less / box.height)}px`;
      if (blank(before, figure) === 0) return;
      picture.style.width = "";
    }
    const whole = ended(), figures = [figure]; // with those that follow it directly
    while (next(figures.at(-1))?.matches("figure")) figures.push(next(figures.at(-1)));
    let best = [left - BLANK * height / 2, before, false];
    for (const block of [...later(figures.at(-1))]) {
      block.after(...figures);
      for (const tight of block.querySelector(".data") ? [false, true] : [false]) {
        block.classList.toggle("tight", tight);
        const most = blank(before, figure);
        if (most < best[0] && ended() <= whole + 1) best = [most, block, tight];
      }
      block.classList.remove("tight");
      if (best[0] < BLANK * height) break;
    }
    best[1].after(...figures);
    best[1].classList.toggle("tight", best[2]);
  };

  for (const code of document.querySelectorAll("pre code")) { // a line's further lines stand further in
    code.innerHTML = code.innerHTML.split("\n").map(line =>
      `<span class="line" style="--hang: ${line.search(/\S|$/) + 8}ch">${line}</span>`).join("");
  }
  for (const rule of printed) rule.media.mediaText = "all";
  main.style.cssText = `width: ${width}px; margin: 0; height: ${height}px; columns: ${width}px; ` +
    `column-gap: ${GAP}px; column-fill: auto;`;
  document.body.style.margin = "0";
  try {
    main.querySelectorAll("figure").forEach(figure => { settle(figure); makeRoom(figure); });
  } finally {
    main.style.cssText = document.body.style.cssText = "";
    for (const rule of printed) rule.media.mediaText = "print";
  }
})();
