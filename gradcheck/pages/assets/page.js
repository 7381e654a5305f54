"use strict";
/* Draws what the page's data describes: charts by Observable Plot (Plot, the script above), and tables. Every text goes
   into the page as text, never as HTML. */
(() => {
  // Long lists stand once, see pages/packing.py
  function unpacked({ arrays, ...data }) {
    const lists = arrays.map((one) => (one.runs ? one.runs.flatMap(([value, count]) => Array(count).fill(value)) : one));
    const filled = (value) =>
      value === null || typeof value !== "object" ? value
      : Array.isArray(value) ? value.map(filled)
      : "array" in value ? lists[value.array]
      : Object.fromEntries(Object.entries(value).map(([name, one]) => [name, filled(one)]));
    return filled(data);
  }

  const { charts, tables, tones } = unpacked(JSON.parse(document.getElementById("data").textContent));
  const SVG = "http://www.w3.org/2000/svg";
  const DASHES = ["", "", "", "7 3", "2 3", "8 3 2 3", "1 2"];
  const [LEFT, RIGHT] = [54, 14]; // of a chart with lines
  const KEYS = "Arrow keys move, plus and minus zoom, 0 shows everything.";

  // Elements

  function make(tag, attributes = {}, ...children) {
    const element = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  }

  const button = (text, onclick, label = null) => make("button", { type: "button", "aria-label": label, onclick }, text);

  // Numbers

  function significant(value, digits = 4) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size < 1e-4 || size >= 1e6) return value.toExponential(digits - 2);
    return String(Number(value.toPrecision(digits))).replace("-", "−");
  }

  function power(logarithm) {
    const exponent = Math.floor(logarithm + 1e-9);
    const mantissa = Math.max(1, 10 ** (logarithm - exponent)).toFixed(2);
    return exponent >= -3 && exponent <= 4 ? significant(10 ** logarithm, 3) : `${mantissa}e${exponent}`;
  }

  const SUPERSCRIPTS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

  function powerTick(logarithm) {
    if (!Number.isInteger(logarithm)) return power(logarithm);
    if (Math.abs(logarithm) < 3) return significant(10 ** logarithm);
    return `10${[...String(logarithm)].map((one) => SUPERSCRIPTS[one]).join("")}`;
  }

  function multiples(step, from, to) {
    const [first, last] = [Math.ceil(from / step - 1e-9), Math.floor(to / step + 1e-9)];
    return Array.from({ length: Math.max(0, last - first + 1) }, (_, place) => (first + place) * step);
  }

  // Ticks between two logarithms: powers of ten; 1, 2 and 5 of each; within less than a decade round numbers.
  function powerTicks(low, high) {
    const [decades, base] = [high - low, Math.floor(low)];
    if (decades >= 3) return multiples([1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((step) => decades / step <= 7) || 10000, low, high);
    if (decades >= 0.9) return multiples(1, base, high).flatMap((power) => [1, 2, 5].map((one) => power + Math.log10(one))).filter((one) => one >= low && one <= high);
    const [from, to] = [10 ** (low - base), 10 ** (high - base)];
    const size = 10 ** Math.floor(Math.log10((to - from) / 3));
    return multiples([5, 2, 1].map((one) => one * size).find((step) => (to - from) / step >= 3), from, to).map((one) => base + Math.log10(one));
  }

  const logTicks = (view) => ({ ticks: powerTicks(...view), tickFormat: powerTick });

  const FORMATS = {
    text: String,
    flag: String,
    number: (value) => significant(value),
    whole: (value) => Math.round(value).toLocaleString("en"),
    share: (value) => `${Number((100 * value).toPrecision(3))} %`,
    chance: (value) => (value < 0.01 ? "below 1 %" : value > 0.99 ? "above 99 %" : `${Math.round(100 * value)} %`),
    power,
  };

  function shown(value, kind) {
    return value === null || value === undefined ? "–" : typeof value === "string" ? value : FORMATS[kind](value);
  }

  const axisText = (axis, value) => shown(value, axis.log ? "power" : "number");
  const shortened = (text, most) => (text.length <= most ? text : `…${text.slice(1 - most)}`);
  const extent = (values) => values.reduce(([low, high], one) => [Math.min(low, one), Math.max(high, one)], [Infinity, -Infinity]);
  const known = (value) => typeof value === "number";
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  // Where charts share an axis they share its zoom

  const groups = new Map();

  function groupOf(name, whole) {
    const group = (name && groups.get(name)) || { whole: [Infinity, -Infinity], zoom: null, draw: [] };
    group.whole = [Math.min(group.whole[0], whole[0]), Math.max(group.whole[1], whole[1])];
    group.view = () => group.zoom || group.whole;
    group.show = (zoom) => {
      const least = (group.whole[1] - group.whole[0]) / 1e4;
      group.zoom = zoom && zoom[1] - zoom[0] > least ? [Math.max(zoom[0], group.whole[0]), Math.min(zoom[1], group.whole[1])] : null;
      if (group.zoom && group.zoom[0] >= group.zoom[1]) group.zoom = null;
      group.draw.forEach((draw) => draw());
    };
    group.by = (factor, centre = null) => {
      const [low, high] = group.view();
      const middle = centre === null ? (low + high) / 2 : centre;
      const [wholeLow, wholeHigh] = group.whole;
      const size = (high - low) * factor;
      group.show(size >= wholeHigh - wholeLow ? null : [middle - size * ((middle - low) / (high - low)), middle + size * ((high - middle) / (high - low))]);
    };
    if (name) groups.set(name, group);
    return group;
  }

  // What all charts have: a box that draws, points, zooms by pointer and by keys, and reads out

  function interactive(figure, chart, group, parts) {
    const box = make("div", { class: "plot", tabindex: 0, role: "group", "aria-roledescription": "chart", "aria-label": `${chart.title}. ${KEYS}` });
    const readout = make("div", { class: "readout", "aria-live": "polite" });
    let plot = null;
    let drag = null;
    let overlay = [];

    function clear() {
      overlay.forEach((one) => one.remove());
      overlay = [];
      readout.replaceChildren();
    }

    const place = (event) => {
      const edges = plot.getBoundingClientRect();
      const scale = edges.width ? plot.viewBox.baseVal.width / edges.width : 1;
      return [(event.clientX - edges.left) * scale, (event.clientY - edges.top) * scale];
    };

    function point(at) {
      clear();
      const found = parts.read(plot, at);
      if (!found) return;
      overlay = found.marks;
      plot.append(...overlay);
      readout.append(...found.heading, make("dl", {}, ...found.rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])));
      const [x, y] = found.at;
      const right = x > box.clientWidth / 2;
      readout.style.left = `${clamp(right ? x - readout.offsetWidth - 14 : x + 14, 0, Math.max(0, box.clientWidth - readout.offsetWidth))}px`;
      readout.style.top = `${Math.max(0, Math.min(y, plot.clientHeight - readout.offsetHeight))}px`;
    }

    function draw() {
      clear();
      plot = parts.plot(Math.max(240, box.clientWidth), group.view());
      plot.setAttribute("role", "img");
      plot.querySelectorAll("[aria-label]").forEach((part) => part.removeAttribute("aria-label")); // an image has one name
      box.replaceChildren(plot, readout);
      reset.disabled = !(group.zoom || parts.zoomed());
    }

    function brushed(from, to) {
      const scale = plot.scale("x");
      const inside = (value) => clamp(value, Math.min(...scale.range), Math.max(...scale.range));
      const ends = [from[0], to[0]].map((one) => scale.invert(inside(one))).sort((a, b) => a - b);
      if (parts.brushY) parts.brushY(plot.scale("y"), from[1], to[1]);
      group.show(ends);
    }

    function all() {
      parts.reset();
      group.show(null);
    }

    box.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button === 0) {
        drag = place(event);
        box.setPointerCapture(event.pointerId);
      } else if (event.pointerType !== "mouse") point(place(event));
    });
    box.addEventListener("pointermove", (event) => {
      const at = place(event);
      if (!drag || Math.abs(at[0] - drag[0]) < 4) return point(at);
      clear();
      const [top, bottom] = parts.brushY ? [drag[1], at[1]] : plot.scale("y").range;
      overlay = [make("svg:rect", {
        class: "brush", x: Math.min(at[0], drag[0]), width: Math.abs(at[0] - drag[0]), y: Math.min(top, bottom), height: Math.abs(top - bottom),
      })];
      plot.append(...overlay);
    });
    box.addEventListener("pointerup", (event) => {
      const [from, to] = [drag, place(event)];
      drag = null;
      if (from && Math.abs(to[0] - from[0]) > 8) brushed(from, to);
      else if (from) {
        point(to);
        parts.choose();
      }
    });
    box.addEventListener("pointerleave", () => !drag && clear());
    box.addEventListener("dblclick", all);
    box.addEventListener("blur", clear);
    box.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [-1e9, 0], End: [1e9, 0] }[event.key];
      if (move) {
        if (!parts.step(...move)) return;
        point(null);
      } else if (event.key === "Enter") parts.choose();
      else if (event.key === "+" || event.key === "=") group.by(0.5, parts.centre());
      else if (event.key === "-") group.by(2, parts.centre());
      else if (event.key === "0" || event.key === "Escape") all();
      else return;
      event.preventDefault();
    });
    const reset = button("Show all", all, `${chart.title}: show all`);
    const zoom = make("span", { class: "zoom" }, button("+", () => group.by(0.5), `${chart.title}: zoom in`), button("−", () => group.by(2), `${chart.title}: zoom out`), reset);
    figure.append(box, make("div", { class: "tools" }, ...parts.keys(), zoom));
    group.draw.push(draw);
    let width = 0;
    new ResizeObserver(() => {
      if (box.clientWidth !== width) {
        width = box.clientWidth;
        draw();
      }
    }).observe(box);
    draw();
    width = box.clientWidth;
    return draw;
  }

  const cross = (x, [top, bottom]) => make("svg:line", { class: "cursor", x1: x, x2: x, y1: top, y2: bottom });

  function nearest(values, x) {
    let [low, high] = [0, values.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (values[middle] <= x) low = middle;
      else high = middle;
    }
    return Math.abs(values[high] - x) < Math.abs(values[low] - x) ? high : low;
  }

  // Courses

  const colourOf = (line, place) => (line.tone ? `var(--${line.tone})` : `var(--line-${place % 7})`);
  const dashOf = (line, place) => (line.dashed ? "6 4" : DASHES[place % 7]);

  function courses(figure, chart) {
    const places = [...new Set(chart.lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    const whole = places.length > 1 ? extent(places) : [places[0] - 0.5, places[0] + 0.5];
    const group = groupOf(chart.group, whole);
    const table = chart.table && views.get(chart.table);
    const flags = table && table.data.columns.find((column) => column.kind === "flag");
    let at = null;

    const points = (line) => line.x.map((x, place) => ({ x, y: line.y[place], low: line.low && line.low[place], high: line.high && line.high[place] }));
    const all = chart.lines.map(points);

    function heights([from, to]) {
      const inside = all.flatMap((line) => line.filter(({ x }) => x >= from && x <= to).flatMap(({ y, low, high }) => [y, low, high])).filter(known);
      const [low, high] = extent([...inside, ...(group.zoom ? [] : chart.limits.map((one) => one.value))]);
      if (low > high) return [0, 1];
      const margin = high > low ? 0.06 * (high - low) : chart.y.log ? 0.5 : Math.abs(low) / 10 || 1;
      return [low - margin, high + margin];
    }

    function marks(view, y, width) {
      const [made, labels, texts] = [[], [], []];
      for (const span of chart.spans) {
        const [x1, x2] = [Math.max(span.start, view[0]), Math.min(span.end, view[1])];
        if (x1 > view[1] || x2 < view[0]) continue;
        const colour = `var(--${span.tone})`;
        if (span.end > span.start) made.push(Plot.rect([span], { x1: span.start, x2: span.end, y1: y[0], y2: y[1], fill: colour, fillOpacity: 0.2, clip: true }));
        else made.push(Plot.ruleX([span.start], { stroke: colour, strokeWidth: 2, clip: true }));
        const [end, size] = [x1 > (view[0] + 2 * view[1]) / 3, 7 * span.label.length + 6];
        const from = ((x1 - view[0]) / (view[1] - view[0])) * (width - LEFT - RIGHT) - (end ? size : 0);
        let row = 0; // below the labels that it would be written over
        while (labels.some((one) => one.row === row && from < one.to && one.from < from + size)) row += 1;
        labels.push({ row, from, to: from + size });
        texts.push(Plot.text([span.label], { x: x1, frameAnchor: "top", textAnchor: end ? "end" : "start", dx: end ? -3 : 3, dy: 2 + 13 * row, fontWeight: 600 }));
      }
      const [low, high] = y;
      const limits = chart.limits.filter((one) => one.value >= low && one.value <= high);
      made.push(Plot.ruleY(limits, { y: "value", stroke: "var(--limit)", strokeDasharray: "8 3" }));
      made.push(Plot.text(limits, { y: "value", text: "label", frameAnchor: "right", textAnchor: "end", dy: -7, dx: -2, fill: "var(--limit)", stroke: "var(--panel)", strokeWidth: 4 }));
      all.forEach((line, place) => {
        const { low, dots, dashed } = chart.lines[place];
        const [stroke, dash] = [colourOf(chart.lines[place], place), dashOf(chart.lines[place], place)];
        const inside = line.filter(({ x, y }) => x >= view[0] && x <= view[1] && known(y));
        if (low) made.push(Plot.areaY(line, { x: "x", y1: "low", y2: "high", fill: stroke, fillOpacity: 0.18, clip: true }));
        if (!dots) made.push(Plot.line(line, { x: "x", y: "y", stroke, strokeDasharray: dash, strokeWidth: dashed ? 1.5 : 1.8, clip: true }));
        if (!dashed && (dots || inside.length <= 150))
          for (const colour of new Set(inside.map((one) => flagColour(one, stroke))))
            made.push(Plot.dot(inside.filter((one) => flagColour(one, stroke) === colour), { x: "x", y: "y", r: 2.8, fill: colour, stroke: "var(--panel)", strokeWidth: 0.5 }));
      });
      return [...made, ...texts]; // above what they name
    }

    function flagColour({ x }, usual) {
      const flag = flags && flags.cells[x - 1];
      return flag && chart.lines.length < 3 && tones[flag] && tones[flag] !== "green" ? `var(--${tones[flag]})` : usual;
    }

    function namedTicks(names, width, [from, to]) {
      const inside = names.map((_, place) => place + 1).filter((one) => one >= from && one <= to);
      const longest = Math.max(1, ...inside.map((one) => shortened(names[one - 1], 18).length));
      const every = Math.max(1, Math.ceil((inside.length * (6.5 * longest + 12)) / width));
      return { ticks: inside.filter((_, place) => place % every === 0), tickFormat: (value) => shortened(names[value - 1], 18) };
    }

    function beside({ ticks, tickFormat }, width, [from, to]) { // what half of the last name needs
      if (!ticks.length || to <= from) return RIGHT;
      const last = ticks[ticks.length - 1];
      return Math.max(RIGHT, Math.ceil(3.3 * tickFormat(last).length - ((to - last) / (to - from)) * (width - LEFT - RIGHT)));
    }

    interactive(figure, chart, group, {
      plot(width, view) {
        const y = heights(view);
        const names = chart.x.names && namedTicks(chart.x.names, width, view);
        return Plot.plot({
          width, height: chart.wide ? 300 : 220, marginLeft: LEFT, marginRight: names ? beside(names, width, view) : RIGHT, marginTop: 26, marginBottom: 38, ariaLabel: `${chart.title}: ${chart.about}`,
          x: { domain: view, label: chart.x.label, ...(names ? names : chart.x.log ? logTicks(view) : { ticks: Math.max(3, width / 90), tickFormat: (value) => significant(value, 6) }) },
          y: { domain: y, label: chart.y.label, grid: true, ...(chart.y.log ? logTicks(y) : { ticks: 6, tickFormat: (value) => significant(value) }) },
          marks: marks(view, y, width),
        });
      },
      read(plot, pointer) {
        const [x, y] = [plot.scale("x"), plot.scale("y")];
        if (pointer) at = nearest(places, x.invert(pointer[0]));
        if (at === null) return null;
        const value = places[at];
        const place = x.apply(value);
        const found = chart.lines.map((line, index) => [line, index, nearest(line.x, value)]);
        const rows = table ? table.row(value - 1) : found.map(([line, , here]) => [line.name, axisText(chart.y, line.y[here])]);
        const spans = chart.spans.filter((span) => !table && span.start <= value && value <= span.end).map((span) => [span.label, ""]);
        const predicted = table ? found.filter(([line]) => line.dashed).map(([line, , here]) => [line.name, axisText(chart.y, line.y[here])]) : [];
        const dots = found.filter(([line, , here]) => known(line.y[here]) && (!table || line.x[here] === value)).map(([line, index, here]) => make("svg:circle", { class: "cursor", cx: x.apply(line.x[here]), cy: y.apply(line.y[here]), r: 4.5, fill: colourOf(line, index) }));
        const heading = table ? [] : [make("strong", {}, `${chart.x.names ? chart.x.names[value - 1] : `${chart.x.label} ${chart.x.log ? axisText(chart.x, value) : significant(value, 8)}`}`)];
        return { at: [place, pointer ? pointer[1] : 20], marks: [cross(place, y.range), ...dots], heading, rows: [...rows, ...predicted, ...spans] };
      },
      step(across) {
        if (!across) return false;
        const [from, to] = group.view();
        const first = places.findIndex((one) => one >= from);
        const last = places.findLastIndex((one) => one <= to);
        at = clamp(at === null ? (across > 0 ? first : last) : at + across, first, last);
        return true;
      },
      choose: () => table && at !== null && table.mark([places[at] - 1]),
      centre: () => (at === null ? null : places[at]),
      keys: () => (chart.lines.length > 1 || chart.lines[0].dashed ? chart.lines.map((line, place) => key(line, place)) : []),
      zoomed: () => false,
      reset: () => {},
    });
  }

  function key(line, place) {
    const stroke = colourOf(line, place);
    const sample = line.dots ? make("svg:circle", { cx: 11, cy: 5, r: 3.5, fill: stroke }) : make("svg:line", { x1: 0, x2: 22, y1: 5, y2: 5, stroke, "stroke-width": 2.5, "stroke-dasharray": dashOf(line, place) });
    return make("span", { class: "key" }, make("svg:svg", { width: 22, height: 10, "aria-hidden": "true" }, sample), line.name);
  }

  const spotKey = ({ name, glyph, fill }) =>
    make("span", { class: "key" }, make("svg:svg", { width: 14, height: 12, "aria-hidden": "true" }, make("svg:text", { x: 7, y: 11, "text-anchor": "middle", fill }, glyph)), name);

  // Heat maps

  // Of spots the first is this network's own; no two of the rest share symbol and colour
  const SYMBOLS = [["star", "★"], ["circle", "●"], ["square", "■"], ["diamond", "◆"], ["triangle", "▲"], ["cross", "✚"], ["wye", "Y"]];

  function spotsOf(lines) {
    const spots = [...lines.entries()].filter(([, line]) => line.dots);
    return spots.map(([index, line], place) => {
      const [symbol, glyph] = SYMBOLS[place && 1 + ((place - 1) % (SYMBOLS.length - 1))];
      return { name: line.name, x: line.x[0], y: line.y[0], fill: colourOf(line, index), symbol, glyph };
    });
  }

  // The names of spots, each beside its own, on lines of text that no other one stands on
  function labelled(spots, middle, across, down) {
    const taken = [];
    return spots.map((spot) => {
      const left = spot.x > middle;
      const [width, dx] = [6.2 * spot.name.length, left ? -10 : 10];
      const start = across * spot.x + (left ? dx - width : dx);
      const isFree = (dy) => taken.every(([x, end, y]) => start > end || start + width < x || Math.abs(down * spot.y + dy - y) >= 11);
      const dy = [0, -12, 12, -24, 24, -36, 36].find(isFree) ?? 0;
      taken.push([start, start + width, down * spot.y + dy]);
      return Plot.text([spot], { x: "x", y: "y", text: "name", dx, dy, textAnchor: left ? "end" : "start", fill: "black", stroke: "white", strokeWidth: 3, clip: true });
    });
  }

  function heat(figure, chart, cells, tools = [], chosen = () => {}) {
    let map = cells();
    const group = groupOf(chart.group, [map.first, map.last]);
    let rows = null;
    let at = null;

    const names = (axis, room, low, high) => {
      const every = Math.max(1, Math.ceil((high - low) / room));
      const ticks = [];
      for (let place = Math.ceil(low); place < high; place += every) ticks.push(place + 0.5);
      return { ticks, tickFormat: (value) => shortened(String(axis[Math.floor(value)] ?? ""), 26) };
    };
    const legend = [make("span"), make("span")]; // the numbers at the ends of the ramp
    const widest = (axis) => Math.min(26, Math.max(...axis.map((one) => String(one).length)));
    const size = () => [map.cells[0].length, map.cells.length];
    const column = () => (map.last - map.first) / size()[0];

    const redraw = interactive(figure, chart, group, {
      plot(width, view) {
        const [across, down] = size();
        const [top, bottom] = rows || [0, down];
        const [low, high] = extent(map.cells.flat().filter(known));
        const whole = low <= high ? [low, high === low ? low + 1 : high] : [0, 1];
        legend.forEach((one, end) => (one.textContent = low <= high ? map.shown([low, high][end]) : "–"));
        const marginLeft = 18 + 6.4 * widest(map.y);
        const height = clamp((bottom - top) * 18, 120, 480) + 62;
        const marginRight = Math.max(14, map.x ? 3.5 * widest(map.x) : 0); // half of the last name stands beyond its column
        const room = (width - marginLeft - marginRight) / (map.x ? 7 * widest(map.x) + 8 : 90);
        const marks = [Plot.raster(map.cells.flat(), {
          width: across, height: down, x1: map.first, x2: map.last, y1: 0, y2: down, imageRendering: "pixelated", clip: true,
          fill: (one) => (one === null ? NaN : known(one) ? one : one === "0" ? whole[0] : NaN),
        })];
        for (const line of (map.lines || []).filter((one) => !one.dots)) {
          const spots = line.x.map((x, place) => ({ x, y: line.y[place] }));
          for (const [stroke, strokeWidth] of [["white", 4], ["black", 1.5]]) marks.push(Plot.line(spots, { x: "x", y: "y", stroke, strokeWidth, clip: true }));
        }
        const spots = spotsOf(map.lines || []);
        marks.push(...spots.map(({ symbol, fill, ...spot }) => Plot.dot([spot], { x: "x", y: "y", symbol, r: 6, fill, stroke: "white", strokeWidth: 1.5, clip: true })));
        marks.push(...labelled(spots, (view[0] + view[1]) / 2, (width - marginLeft - marginRight) / (view[1] - view[0]), (height - 62) / (bottom - top)));
        if (map.letters && (across * down <= 600 || (bottom - top) * ((view[1] - view[0]) / column()) <= 600)) {
          const middle = (whole[0] + whole[1]) / 2;
          const spots = map.letters.flatMap((line, y) => line.map((letter, x) => ({ x: x + 0.5, y: y + 0.5, letter, value: map.cells[y][x] })));
          const inside = spots.filter(({ x, y, letter }) => letter && x > view[0] && x < view[1] && y > top && y < bottom);
          for (const light of [true, false])
            marks.push(Plot.text(inside.filter(({ value }) => light === (known(value) && value > middle)), { x: "x", y: "y", text: "letter", fontWeight: 700, fill: light ? "black" : "white", stroke: light ? "white" : "black", strokeWidth: 2 }));
        }
        return Plot.plot({
          width, height, marginLeft, marginRight, marginTop: 24, marginBottom: 38, ariaLabel: `${chart.title}: ${chart.about}`,
          x: { domain: view, label: map.xLabel, ...(map.x ? names(map.x, room, ...view) : { ticks: Math.max(3, room), tickFormat: (value) => significant(value, 6) }) },
          y: { domain: [bottom, top], label: map.yLabel, ...names(map.y, (height - 62) / 13, top, bottom) },
          color: { type: "linear", scheme: "viridis", domain: whole },
          marks,
        });
      },
      read(plot, pointer) {
        const [x, y] = [plot.scale("x"), plot.scale("y")];
        const [across, down] = size();
        if (pointer) at = [clamp(Math.floor((x.invert(pointer[0]) - map.first) / column()), 0, across - 1), clamp(Math.floor(y.invert(pointer[1])), 0, down - 1)];
        if (!at) return null;
        const [left, right] = [0, 1].map((side) => x.apply(map.first + (at[0] + side) * column()));
        const [top, bottom] = [0, 1].map((side) => y.apply(at[1] + side));
        const edge = make("svg:rect", { class: "chosen", x: left, y: Math.min(top, bottom), width: Math.max(1, right - left), height: Math.abs(bottom - top) });
        return { at: [(left + right) / 2, pointer ? pointer[1] : bottom], marks: [edge], heading: [], rows: map.read(at[0], at[1]) };
      },
      step(across, down) {
        const [columns, lines] = size();
        at = at ? [clamp(at[0] + across, 0, columns - 1), clamp(at[1] + down, 0, lines - 1)] : [0, 0];
        return true;
      },
      choose: () => at && chosen(map, at),
      centre: () => at && map.first + (at[0] + 0.5) * column(),
      keys: () => [...tools, ...(map.lines || []).filter((one) => !one.dots).map((one) => make("span", { class: "key" }, `━ ${one.name}`)), ...spotsOf(map.lines || []).map(spotKey), make("span", { class: "key" }, `${map.value} `, legend[0], make("span", { class: "ramp", "aria-hidden": "true" }), legend[1])],
      brushY(scale, from, to) {
        const ends = [from, to].map((one) => clamp(Math.floor(scale.invert(one)), 0, size()[1] - 1)).sort((a, b) => a - b);
        rows = [ends[0], ends[1] + 1];
      },
      zoomed: () => Boolean(rows),
      reset: () => (rows = null),
    });
    return () => {
      [map, rows, at] = [cells(), null, null];
      group.zoom = null;
      group.whole = [map.first, map.last];
      redraw();
    };
  }

  function heatMap(figure, chart) {
    const names = (axis, count) => axis.names || Array.from({ length: count }, (_, place) => String(place + 1));
    const [down, across] = [chart.cells.length, chart.cells[0].length];
    const [x, y] = [chart.x.names, names(chart.y, down)];
    const edge = (place) => chart.first + (place * (chart.last - chart.first)) / across;
    const part = (place) => [Math.ceil(edge(place)), Math.max(Math.ceil(edge(place)), Math.ceil(edge(place + 1)) - 1)].map((one) => significant(one, 9));
    heat(figure, chart, () => ({
      cells: chart.cells, x, y, first: chart.first, last: chart.last, xLabel: chart.x.label, yLabel: chart.y.label, value: chart.value.label, shown: (value) => axisText(chart.value, value), lines: chart.lines,
      read: (column, row) => [[chart.y.label, y[row]], [chart.x.label, x ? x[column] : [...new Set(part(column))].join(" to ")], [chart.value.label, axisText(chart.value, chart.cells[row][column])]],
    }));
  }

  const median = (values) => {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted.length ? (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2 : null;
  };

  // The letter of a cell whose rows have several verdicts
  const MIXED = "M";

  function pivot(figure, chart) {
    const view = views.get(chart.table);
    const column = (title) => view.data.columns.find((one) => one.title === title);
    const chosen = chart.choices.slice(0, 2);
    const indices = column("index").cells;
    const inOrder = [...indices.keys()].sort((a, b) => indices[a] - indices[b]);

    function cells() {
      const [down, across] = chosen.map(column);
      const [y, x] = [down, across].map((one) => [...new Set(inOrder.map((row) => one.cells[row]))]);
      const rows = y.map(() => x.map(() => []));
      const place = [new Map(y.map((one, index) => [one, index])), new Map(x.map((one, index) => [one, index]))];
      inOrder.forEach((row) => rows[place[0].get(down.cells[row])][place[1].get(across.cells[row])].push(row));
      const [colour, flag] = [column(chart.colour), column(chart.flag)];
      const value = (here) => median(here.map((row) => colour.cells[row]).filter(known));
      const letter = (here) => {
        const found = new Set(here.map((row) => flag.cells[row]));
        return found.size === 1 ? chart.letters[[...found][0]] || "?" : found.size ? MIXED : "";
      };
      const letters = rows.map((line) => line.map(letter));
      const meanings = [...Object.entries(chart.letters), ...(letters.flat().includes(MIXED) ? [["several of them", MIXED]] : [])];
      legend.textContent = meanings.map(([name, letter]) => `${letter} ${name}`).join(", ");
      const texts = [y, x].map((values, axis) => values.map((one) => shown(one, [down, across][axis].kind)));
      return {
        cells: rows.map((line) => line.map(value)), letters, rows, x: texts[1], y: texts[0], first: 0, last: x.length,
        xLabel: chosen[1], yLabel: chosen[0], value: chart.colour, shown: (value) => shown(value, colour.kind),
        read(left, top) {
          const here = rows[top][left];
          const head = [[chosen[0], texts[0][top]], [chosen[1], texts[1][left]]];
          return here.length === 1 ? view.row(here[0]) : [...head, ["rows", String(here.length)], [`${chart.colour}, median`, shown(value(here), colour.kind)]];
        },
      };
    }

    const select = (which) =>
      make("label", {}, which ? "across " : "down ", make("select", {
        onchange(event) {
          const other = chosen[1 - which];
          if (event.target.value === other) {
            chosen.reverse();
            selects.forEach((one, place) => (one.querySelector("select").value = chosen[place]));
          } else chosen[which] = event.target.value;
          again();
        },
      }, ...chart.choices.map((name) => make("option", { value: name, selected: name === chosen[which] ? "" : null }, name))));
    const selects = chart.choices.length > 2 ? [select(0), select(1)] : [];
    const legend = make("span", { class: "key" });
    const again = heat(figure, chart, cells, [...selects, legend], (map, [left, top]) => view.mark(map.rows[top][left], true));
  }

  // Tables

  const views = new Map();

  function tableView(section, data) {
    const PART = 100;
    const count = data.columns[0].cells.length;
    const natural = Array.from({ length: count }, (_, row) => row);
    let [order, sorted, down, most, only, marked, words] = [natural, null, false, PART, null, new Set(), ""];
    const text = (column, row) => shown(column.cells[row], column.kind);
    const isText = (column) => column.kind === "text" || column.kind === "flag";
    const body = make("tbody");
    const heads = data.columns.map((column, place) =>
      make("th", { scope: "col", class: isText(column) ? "text" : null, title: column.meaning || null }, button(column.title, () => sort(place))));
    const scroll = make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": data.title }, make("table", {}, make("thead", {}, make("tr", {}, ...heads)), body));
    const note = make("span", { class: "dim", role: "status" });
    const more = button(`Show ${PART} more`, () => render((most += PART)));
    const every = button("Show all", () => {
      [most, only] = [Infinity, null];
      render();
    });
    const filter = make("input", { type: "search", oninput: (event) => {
      words = event.target.value.toLowerCase();
      render();
    } });
    const tools = make("div", { class: "tools" }, ...(count > 10 ? [make("label", { class: "filter" }, "Filter ", filter)] : []), note, more, every);

    function cell(column, row) {
      const value = text(column, row);
      const content = column.kind === "flag" && value !== "–" ? make("span", { class: `chip ${tones[value] || "grey"}` }, value) : value;
      return make("td", { class: isText(column) ? "text" : null }, content);
    }

    function render() {
      const kept = order.filter((row) => (!only || only.has(row)) && (!words || data.columns.some((column) => text(column, row).toLowerCase().includes(words))));
      const rows = kept.slice(0, most);
      body.replaceChildren(...rows.map((row) => make("tr", { class: marked.has(row) ? "marked" : null, "data-row": row }, ...data.columns.map((column) => cell(column, row)))));
      note.textContent = rows.length < count ? `${rows.length.toLocaleString("en")} of ${count.toLocaleString("en")} rows` : "";
      more.hidden = rows.length >= kept.length;
      every.hidden = rows.length >= count || Boolean(words && rows.length >= kept.length && !only);
    }

    function rank(value) {
      return known(value) ? value : value === null || value === undefined ? NaN : value === "0" ? -Infinity : String(value);
    }

    function compare(a, b) {
      if (typeof a === "string" || typeof b === "string") return String(a).localeCompare(String(b), "en", { numeric: true });
      return a === b ? 0 : a - b;
    }

    function sort(place) {
      down = sorted === place && !down;
      sorted = place;
      const keys = data.columns[place].cells.map(rank);
      const last = (row) => typeof keys[row] === "number" && Number.isNaN(keys[row]);
      order = [...natural].sort((a, b) => last(a) - last(b) || (last(a) ? 0 : (down ? -1 : 1) * compare(keys[a], keys[b])));
      heads.forEach((head, index) => {
        if (index === place) head.setAttribute("aria-sort", down ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
        head.querySelector("button").textContent = data.columns[index].title + (index === place ? (down ? " ▼" : " ▲") : "");
      });
      render();
    }

    const view = {
      data,
      row: (row) => data.columns.map((column) => [column.title, text(column, row)]).filter(([, value]) => value !== "–"),
      mark(rows, alone = false) {
        marked = new Set(rows);
        if (alone && rows.length > 1) only = marked;
        else if (rows.length && order.indexOf(rows[0]) >= most) most = order.indexOf(rows[0]) + 1;
        render();
        const first = body.querySelector(".marked");
        if (first) first.scrollIntoView({ block: "nearest" });
      },
    };
    section.append(tools, scroll);
    render();
    views.set(data.name, view);
  }

  // The page

  const DRAWERS = { lines: courses, heat: heatMap, pivot };

  document.querySelectorAll("[data-table]").forEach((section) => tableView(section, tables[section.dataset.table]));
  charts.forEach((chart) => chart.group && chart.lines && groupOf(chart.group, extent(chart.lines.flatMap((line) => line.x))));
  document.querySelectorAll("[data-chart]").forEach((figure) => {
    const chart = charts[figure.dataset.chart];
    DRAWERS[chart.kind](figure, chart);
  });

  document.querySelectorAll(".copy").forEach((part) => {
    const source = part.querySelector("pre");
    const copy = button("Copy", async () => {
      try {
        await navigator.clipboard.writeText(source.textContent);
        copy.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(source);
        copy.textContent = "Press Ctrl+C";
      }
      setTimeout(() => (copy.textContent = "Copy"), 2000);
    });
    part.append(copy);
  });

  const theme = document.getElementById("theme");
  const themes = ["system", "light", "dark"];
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const next = themes[(themes.indexOf(document.documentElement.dataset.theme || "system") + 1) % themes.length];
    document.documentElement.dataset.theme = next;
    theme.textContent = `Theme: ${next}`;
  });
  document.documentElement.dataset.drawn = "";
})();
