"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const points = data.points.map((p, n) => ({
  x: p[0], y: p[1], video: p[2], interval: p[3], place: p[4], cluster: p[5], values: p[6], picture: p[7], n,
}));
const canvas = document.getElementById("map");
const card = document.getElementById("card");
const select = document.getElementById("colouring");
const find = document.getElementById("find");
const legend = document.getElementById("legend");
const MARGIN = 28, REACH = 14, MOST_COLOURS = 20;
const view = {scale: 1, x: 0, y: 0};
let colours = new Map(), only = null, hovered = null, kept = null, drag = null, queued = false;

const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const shownText = value => value === "" ? "none" : value;
const hue = n => `hsl(${(n * 137.508 + 210) % 360} 70% 56%)`;

function colouring() {
  const which = Number(select.value);
  const counts = new Map();
  for (const p of points) if (p.values[which] !== null) counts.set(p.values[which], (counts.get(p.values[which]) || 0) + 1);
  // "" is a moment that shows none of the labels: grey, and last in the legend.
  const all = [...counts.keys()].filter(v => v !== "");
  const isTimes = data.colourings[which] === "hour of day";
  const first = isTimes ? all.sort() : all.sort((a, b) => counts.get(b) - counts.get(a) || (a < b ? -1 : 1)).slice(0, MOST_COLOURS);
  colours = new Map(first.map((value, n) => [value, isTimes ? `hsl(${Number(value.slice(0, 2)) * 15} 70% 56%)` : hue(n)]));
  if (counts.has("")) first.push("");
  only = null;
  legend.replaceChildren(...first.map(value => {
    const item = document.createElement("li"), button = document.createElement("button"), dot = document.createElement("i");
    dot.style.background = value === "" ? "var(--quiet)" : colours.get(value);
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    button.append(dot, `${shownText(value)} (${counts.get(value)})`);
    button.addEventListener("click", () => {
      only = only === value ? null : value;
      for (const other of legend.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button && only !== null));
      draw();
    });
    item.append(button);
    return item;
  }));
  draw();
}

const width = () => canvas.clientWidth, height = () => canvas.clientHeight;
const place = p => [
  MARGIN + (p.x * view.scale + view.x) * (width() - 2 * MARGIN),
  MARGIN + (p.y * view.scale + view.y) * (height() - 2 * MARGIN),
];
const value = p => p.values[Number(select.value)];
const isShown = p => (only === null || value(p) === only) && (!find.value || p.video.toLowerCase().includes(find.value.toLowerCase()));

function draw() {
  if (queued) return;
  queued = true;
  requestAnimationFrame(() => { queued = false; paint(); });
}

function paint() {
  const ratio = devicePixelRatio || 1;
  canvas.width = width() * ratio;
  canvas.height = height() * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const quiet = css("--quiet"), size = Math.min(8, (points.length < 300 ? 5 : 3.2) * Math.sqrt(view.scale));
  // What is grey is below what has a colour, and what is filtered out is below both.
  const layer = p => (isShown(p) ? 2 : 0) + (colours.has(value(p)) ? 1 : 0);
  for (let level = 0; level < 4; level++) for (const p of points) {
    if (layer(p) !== level) continue;
    const shown = level > 1;
    const [x, y] = place(p);
    pen.globalAlpha = shown ? 0.85 : 0.12;
    pen.fillStyle = colours.get(value(p)) || quiet;
    pen.beginPath();
    pen.arc(x, y, size, 0, 7);
    pen.fill();
  }
  pen.globalAlpha = 1;
  names(pen);
  for (const p of [hovered, kept]) if (p) {
    const [x, y] = place(p);
    pen.strokeStyle = css("--text");
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x, y, size + 3, 0, 7);
    pen.stroke();
  }
}

function names(pen) {
  pen.font = "600 13px system-ui, sans-serif";
  pen.textAlign = "center";
  const taken = [];
  data.names.forEach((name, number) => {
    const of = points.filter(p => p.cluster === number);
    if (!name || !of.length) return;
    const half = pen.measureText(name).width / 2, middle = median(of.map(p => place(p)[0])), y = median(of.map(p => place(p)[1]));
    if (middle < 0 || middle > width()) return;
    const x = Math.max(half + 6, Math.min(middle, width() - half - 6));
    if (taken.some(t => Math.abs(t[0] - x) < t[2] + half + 6 && Math.abs(t[1] - y) < 18)) return;
    taken.push([x, y, half]);
    pen.lineWidth = 4;
    pen.strokeStyle = css("--card");
    pen.strokeText(name, x, y + 4);
    pen.fillStyle = css("--text");
    pen.fillText(name, x, y + 4);
  });
}

const median = list => list.sort((a, b) => a - b)[list.length >> 1];

function nearest(x, y) {
  let best = null, reach = REACH;
  for (const p of points) if (isShown(p)) {
    const [px, py] = place(p), far = Math.hypot(px - x, py - y);
    if (far < reach) { reach = far; best = p; }
  }
  return best;
}

function show(p) {
  if (!p) { card.hidden = true; return; }
  const lines = [];
  if (p.picture) {
    const image = document.createElement("img");
    image.src = "data:image/jpeg;base64," + p.picture;
    image.alt = `${p.video} at ${p.interval}`;
    lines.push(image);
  }
  const name = document.createElement("b");
  name.textContent = p.video;
  const rest = [p.interval, ...data.colourings.map((c, n) => p.values[n] === null || c === "video" ? null : `${c}: ${shownText(p.values[n])}`)];
  lines.push(name, ...rest.filter(Boolean).map(text => {
    const line = document.createElement("span");
    line.textContent = text;
    return line;
  }));
  const code = document.createElement("code");
  code.textContent = `--like ${p.place}`;
  lines.push(code);
  card.replaceChildren(...lines);
  card.classList.toggle("kept", p === kept);
  card.hidden = false;
  const [x, y] = place(p);
  card.style.left = Math.max(6, Math.min(x + 14, width() - card.offsetWidth - 6)) + "px";
  card.style.top = Math.max(6, Math.min(y + 14, height() - card.offsetHeight - 6)) + "px";
}

function zoom(factor, x, y) {
  const scale = Math.max(1, Math.min(60, view.scale * factor));
  const u = (x - MARGIN) / (width() - 2 * MARGIN), v = (y - MARGIN) / (height() - 2 * MARGIN);
  view.x = u - (u - view.x) * scale / view.scale;
  view.y = v - (v - view.y) * scale / view.scale;
  view.scale = scale;
  if (scale === 1) view.x = view.y = 0;
  show(kept);
  draw();
}

const at = event => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
canvas.addEventListener("pointerdown", event => {
  drag = {x: event.clientX, y: event.clientY, moved: false};
  canvas.setPointerCapture(event.pointerId);
});
canvas.addEventListener("pointermove", event => {
  if (drag) {
    const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
    if (!drag.moved && Math.hypot(dx, dy) < 4) return;
    drag = {x: event.clientX, y: event.clientY, moved: true};
    view.x += dx / (width() - 2 * MARGIN);
    view.y += dy / (height() - 2 * MARGIN);
    show(kept);
    draw();
    return;
  }
  const p = nearest(...at(event));
  if (p !== hovered) { hovered = p; show(p || kept); draw(); }
});
canvas.addEventListener("pointerup", event => {
  if (drag && !drag.moved) { kept = nearest(...at(event)); show(kept); draw(); }
  drag = null;
});
canvas.addEventListener("pointerleave", () => { hovered = null; show(kept); draw(); });
canvas.addEventListener("wheel", event => {
  event.preventDefault();
  zoom(Math.exp(-event.deltaY / 400), ...at(event));
}, {passive: false});
canvas.addEventListener("keydown", event => {
  const ways = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  if (event.key in ways) {
    event.preventDefault();
    const from = kept ? place(kept) : [width() / 2, height() / 2], [wx, wy] = ways[event.key];
    let best = null, cost = Infinity;
    for (const p of points) if (p !== kept && isShown(p)) {
      const [x, y] = place(p), along = (x - from[0]) * wx + (y - from[1]) * wy, across = Math.abs((x - from[0]) * wy) + Math.abs((y - from[1]) * wx);
      if (along > 0.5 && along + 3 * across < cost) { cost = along + 3 * across; best = p; }
    }
    if (best) { kept = best; show(best); draw(); }
  } else if (event.key === "+" || event.key === "=") zoom(1.4, width() / 2, height() / 2);
  else if (event.key === "-") zoom(1 / 1.4, width() / 2, height() / 2);
  else if (event.key === "Escape") { kept = null; show(null); draw(); }
});
document.getElementById("reset").addEventListener("click", () => { view.scale = 1; view.x = view.y = 0; kept = null; show(null); draw(); });
select.addEventListener("change", colouring);
find.addEventListener("input", draw);
addEventListener("resize", () => { show(kept); draw(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
select.replaceChildren(...data.colourings.map((name, n) => {
  const option = document.createElement("option");
  option.value = String(n);
  option.textContent = name;
  return option;
}));
colouring();
