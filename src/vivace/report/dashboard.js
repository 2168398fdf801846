// Shows the numbers under the pointer (or the arrow keys), and a cursor at the same instant in every chart over time.
"use strict";

const charts = [...document.querySelectorAll("figure.chart")].map(readChart);
const overTime = charts.filter((chart) => chart.x.step !== undefined);

function readChart(figure) {
  const data = JSON.parse(figure.querySelector("script").textContent);
  const area = figure.querySelector(".area");
  const places = data.x.places ?? Array.from({ length: data.x.count }, (_, n) => (n + 0.5) / data.x.count);
  return { ...data, area, places, at: null };
}

function nearest(places, place) {
  let best = 0;
  places.forEach((one, n) => { if (Math.abs(one - place) < Math.abs(places[best] - place)) best = n; });
  return best;
}

function number(value, unit) {
  const text = value.toLocaleString("en-US", { maximumSignificantDigits: 4 });
  return unit === "%" ? `${text}\u00a0%` : `${text}\u00a0${unit}`;
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (parts[0] === 0) parts.shift();
  const text = parts.map((part, n) => (n ? String(part).padStart(2, "0") : part)).join(":");
  return seconds === whole ? text : `${text}.${Math.round((seconds - whole) * 10)}`;
}

function label(chart, n) {
  return chart.x.labels ? chart.x.labels[n] : `${clock(n * chart.x.step)} to ${clock((n + 1) * chart.x.step)}`;
}

function node(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

function tip(chart, n) {
  const rows = chart.series.filter((one) => one.values[n] !== null && (chart.series.length < 5 || one.values[n] !== 0));
  const lines = rows.map((one) =>
    node("div", "", node("span", `key ${one.ink}`, one.name), node("b", "", number(one.values[n], chart.unit))));
  const made = node("div", "tip", node("p", "", label(chart, n)), ...lines);
  made.setAttribute("role", "status");
  made.style[chart.places[n] > 0.5 ? "right" : "left"] =
    `calc(${100 * (chart.places[n] > 0.5 ? 1 - chart.places[n] : chart.places[n])}% + 10px)`;
  return made;
}

function cursor(chart, place) {
  const made = node("div", "cursor");
  made.style.left = `${100 * place}%`;
  chart.area.append(made);
}

function clear() {
  document.querySelectorAll(".cursor, .tip").forEach((one) => one.remove());
}

function show(chart, n) {
  clear();
  chart.at = n;
  const seconds = chart.x.step === undefined ? null : chart.places[n] * chart.x.step * chart.x.count;
  for (const other of seconds === null ? [chart] : overTime) {
    const place = other === chart ? chart.places[n] : seconds / (other.x.step * other.x.count);
    if (place <= 1) cursor(other, place);
  }
  chart.area.append(tip(chart, n));
}

function step(chart, key) {
  const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
  if (!(key in moves)) return false;
  const from = chart.at ?? (moves[key] < 0 ? chart.places.length : -1);
  show(chart, Math.min(Math.max(from + moves[key], 0), chart.places.length - 1));
  return true;
}

for (const chart of charts) {
  const follow = (event) => {
    const box = chart.area.getBoundingClientRect();
    show(chart, nearest(chart.places, (event.clientX - box.left) / box.width));
  };
  chart.area.addEventListener("pointermove", follow);
  chart.area.addEventListener("pointerdown", follow);
  chart.area.addEventListener("pointerleave", clear);
  chart.area.addEventListener("blur", clear);
  chart.area.addEventListener("keydown", (event) => {
    if (event.key === "Escape") clear();
    else if (step(chart, event.key)) event.preventDefault();
  });
}
