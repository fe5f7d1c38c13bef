"use strict";
/* The page: unpacks the data, keeps the filters, and makes elements. The sections are in sections.js, what Chart.js draws in charts.js.
 *
 * A number on the page comes from one field of one row (cell): its element names row, column and the field's own text, which a test
 * compares with the file. What is made of several rows (derived) names its formula; sums over a network are made by the program, once. */
const data = JSON.parse(document.getElementById("data").textContent);
document.getElementById("data").remove();

/* ---- data ---- */

function unpack(packed) {
    const out = [];
    for (const item of packed.split(",")) {
        const star = item.indexOf("*");
        if (star < 0) out.push(item);
        else for (let n = Number(item.slice(star + 1)); n > 0; n--) out.push(item.slice(0, star));
    }
    return out;
}

const columns = new Map();
for (const column of data.columns) {
    const items = data.rows ? unpack(column.packed) : [];
    columns.set(column.name, column.values ? items.map((at) => column.values[Number(at)]) : items);
}
const text = (row, name) => (row >= 0 && columns.has(name) ? columns.get(name)[row] : "");
const number = (row, name) => (text(row, name) === "" ? NaN : Number(text(row, name)));
const candidateOf = (row) => text(row, "backend") + (text(row, "variant") ? ":" + text(row, "variant") : "");
const allRows = Array.from({ length: data.rows }, (_, row) => row);
const batches = new Map(data.batches.rows.map((row, at) => [row, data.batches.text[at].split(",").map(Number)]));

function origin(row) {
    const source = data.sources.find((s) => row >= s.first && row < s.first + s.count);
    return source.name + ", row " + (row - source.first + 1);
}

const unnamed = (name) => name || "(no network)";
const threadsText = (n) => n + (n === "1" ? " thread" : " threads");
const groups = data.groups.map((group, at) => ({
    ...group, at,
    network: unnamed(text(group.row, "network")), pass: text(group.row, "pass"), threads: text(group.row, "threads"),
    cache: text(group.row, "cache"), machine: text(group.row, "machine"),
}));
for (const group of groups)
    group.title = [group.network + " " + group.pass, group.batch ? "batch " + group.batch : "", threadsText(group.threads),
        group.cache + " cache", group.machine].filter(Boolean).join(", ");

const candidates = [...new Set(allRows.map(candidateOf))].filter(Boolean).sort();
const software = new Set(groups.flatMap((group) => group.candidates.filter((c) => c.software).map((c) => c.name)));
/* Candidates of the class fast, on some problems or on all. */
const fast = new Map(candidates.map((name) => [name, new Set()]));
for (const row of allRows) {
    if (text(row, "accuracy_class") && fast.has(candidateOf(row))) fast.get(candidateOf(row)).add(text(row, "accuracy_class"));
}
const machines = [...new Set(allRows.map((row) => text(row, "machine")))].filter(Boolean);

/* ---- formats ---- */

/* Three significant digits, never with an exponent. */
function short(value) {
    if (!Number.isFinite(value)) return "";
    if (value === 0) return "0";
    const size = Math.floor(Math.log10(Math.abs(value)));
    if (size >= 3) return Math.round(value).toLocaleString("en-US").replace(/,/g, "\u202f");
    return size < -4 ? value.toExponential(1) : value.toFixed(Math.max(0, 2 - size));
}
const formats = {
    plain: (v) => short(v),
    ms: (v) => short(v / 1e6),
    us: (v) => short(v / 1e3),
    mib: (v) => (v === 0 ? "0" : short(v / 1048576)),
    percent: (v) => (Number.isFinite(v) ? v.toFixed(v < 10 ? 1 : 0) : ""),
    change: (v) => (Number.isFinite(v) ? (v >= 1 ? "+" : "−") + Math.abs(100 * (v - 1)).toFixed(1) : ""),
    ratio: (v) => (Number.isFinite(v) ? v.toFixed(2) : ""),
    tiny: (v) => (Number.isFinite(v) ? (v === 0 ? "0" : v >= 0.01 ? v.toFixed(2) : v.toExponential(1)) : ""),
    whole: (v) => (Number.isFinite(v) ? String(v) : ""),
};

/* ---- elements ---- */

function make(tag, properties, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties || {})) {
        if (name === "class") element.className = value;
        else if (name === "data") Object.assign(element.dataset, value);
        else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else element.setAttribute(name, value);
    }
    for (const child of children)
        if (child !== null && child !== undefined) element.append(child);
    return element;
}

/* A field of a row. */
function cell(row, column, format, tag) {
    const raw = text(row, column);
    return raw === "" ? make(tag || "td", { class: "n" })
        : make(tag || "td", { class: "n", data: { s: row, c: column, v: raw, f: format } }, formats[format](Number(raw)));
}
/* What is made of several fields; raw is what it sorts by. */
function derived(value, format, formula, tag) {
    return Number.isFinite(value) ? make(tag || "td", { class: "n derived", data: { v: value, formula: formula, f: format } }, formats[format](value))
        : make(tag || "td", { class: "n" });
}
const word = (value, kind) => make("td", kind ? { class: kind } : null, value);
const tagSoftware = (name) => (software.has(name) ? make("span", { class: "tag soft", title: "A CPU plays the device; no result of a GPU." }, "software") : null);
const fastTag = (what) => make("span", { class: "tag soft", title: "Accuracy class: never compare it with strict or exact." }, what);
const tagFast = (name) => (fast.get(name)?.has("fast") ? fastTag(fast.get(name).size > 1 ? "strict/fast" : "fast") : null);
const tagRow = (row) => (text(row, "accuracy_class") === "fast" ? fastTag("fast") : null);
const nameCell = (name) => make("td", null, name, tagSoftware(name), tagFast(name));

/* heads: texts; those that end in "#" head numbers. Rows are <tr> or arrays of cells. */
function table(heads, rows, kind) {
    const head = make("tr", null, ...heads.map((name, at) => {
        const numeric = name.endsWith("#");
        const th = make("th", { scope: "col", class: numeric ? "n" : "" });
        th.append(make("button", { type: "button", onclick: () => sortBy(th, at) }, numeric ? name.slice(0, -1) : name));
        return th;
    }));
    const body = make("tbody", null, ...rows.map((row) => (row instanceof Element ? row : make("tr", null, ...row))));
    return make("div", { class: "scroll" }, make("table", { class: kind || "wide" }, make("thead", null, head), body));
}
const sortKey = (td) => ("v" in td.dataset ? Number(td.dataset.v) : td.querySelector("[data-v]") ? Number(td.querySelector("[data-v]").dataset.v) : td.textContent);
function sortBy(th, column) {
    const down = th.getAttribute("aria-sort") === "ascending";
    for (const other of th.parentNode.children) other.removeAttribute("aria-sort");
    th.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = th.closest("table").tBodies[0];
    const rows = [...body.rows].map((row) => [sortKey(row.cells[column]), row]);
    rows.sort(([a], [b]) => {
        if (a === "" || b === "") return (a === "") - (b === ""); /* empty ones last, in both directions */
        const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
        return down ? -order : order;
    });
    body.append(...rows.map(([, row]) => row));
}

/* ---- filters ---- */

const filters = { network: "", pass: "", threads: "", cache: "", machine: "" };
let focus = null; /* the group that the detailed sections show */
const distinct = (name) => [...new Set(allRows.map((row) => (name === "network" ? unnamed(text(row, name)) : text(row, name))))].filter(Boolean);
function matches(row) {
    return Object.entries(filters).every(([name, wanted]) => {
        const value = name === "network" ? unnamed(text(row, name)) : text(row, name);
        return !wanted || value === wanted || (name === "cache" && value === "");
    });
}
const matchingGroups = () => groups.filter((group) => matches(group.row));
const matchingRows = (command) => allRows.filter((row) => text(row, "command") === command && matches(row));

function buildFilters() {
    const form = document.getElementById("filters");
    for (const name of Object.keys(filters)) {
        const values = distinct(name).sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
        if (values.length < 2) continue;
        const select = make("select", { id: "filter-" + name, onchange: () => { filters[name] = select.value; render(); } },
            make("option", { value: "" }, "all"), ...values.map((value) => make("option", { value }, value)));
        form.append(make("label", null, name, select));
    }
    const details = make("select", { id: "filter-focus", onchange: () => { focus = groups[Number(details.value)]; render(); } });
    if (groups.length > 1) form.append(make("label", null, "details of", details));
    form.addEventListener("submit", (event) => event.preventDefault());
    if (!form.children.length) form.remove();
}
function refreshFocus() {
    const shown = matchingGroups();
    if (!shown.includes(focus))
        focus = shown.slice().sort((a, b) => (b.pass === "fwd") - (a.pass === "fwd") || (b.cache === "hot") - (a.cache === "hot") || b.best_ns - a.best_ns)[0] || null;
    const select = document.getElementById("filter-focus");
    if (select) {
        select.replaceChildren(...shown.map((group) => make("option", { value: group.at }, group.title)));
        if (focus) select.value = focus.at;
    }
}

function chartBox(kind, subject) {
    const box = make("div", { data: { chart: kind } });
    box.subject = subject;
    return box;
}

/* all sections, or the one named */
function render(only) {
    const main = document.getElementById("main");
    refreshFocus();
    if (!only) {
        document.getElementById("tiles")?.remove();
        const box = tiles();
        box.id = "tiles";
        main.prepend(box);
    }
    for (const [id, title, build, focused] of sections) {
        if (only && only !== id) continue;
        const content = build();
        const section = make("section", { id }, make("h2", null, title));
        if (content && focused) section.append(make("p", { class: "focus" }, focus.title));
        if (content) section.append(...content);
        else section.hidden = true;
        const old = document.getElementById(id);
        if (old) old.replaceWith(section);
        else main.append(section);
    }
    document.getElementById("contents").replaceChildren(...sections.filter(([id]) => !document.getElementById(id).hidden).map(([id, title]) => make("a", { href: "#" + id }, title)));
    if (window.drawCharts) window.drawCharts();
}

/* ---- where a number comes from ---- */

function explain(element) {
    const d = element.dataset;
    if ("s" in d) return d.c + " = " + d.v + "\n" + origin(Number(d.s)) + (data.meanings[d.c] ? "\n" + data.meanings[d.c] : "");
    return d.formula || "";
}
function buildTip() {
    let tip = null;
    const hide = () => { if (tip) tip.remove(); tip = null; };
    document.addEventListener("pointerover", (event) => {
        hide();
        const target = event.target.closest && event.target.closest("[data-s],[data-formula]");
        if (!target || !explain(target)) return;
        tip = make("div", { id: "tip", role: "tooltip" }, explain(target));
        document.body.append(tip);
        const box = target.getBoundingClientRect(), own = tip.getBoundingClientRect();
        tip.style.left = Math.max(6, Math.min(box.left, innerWidth - own.width - 8)) + "px";
        tip.style.top = (box.bottom + own.height + 8 > innerHeight ? Math.max(4, box.top - own.height - 6) : box.bottom + 6) + "px";
    });
    document.addEventListener("scroll", hide, { passive: true });
}

function buildTheme() {
    const root = document.documentElement;
    const wanted = new URLSearchParams(location.search).get("theme");
    if (wanted === "dark" || wanted === "light") root.dataset.theme = wanted;
    document.getElementById("theme").addEventListener("click", () => {
        const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
        root.dataset.theme = dark ? "light" : "dark";
        render();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => render());
}

/* ---- the page's own check, for tests: "#check" leaves its findings in the document ---- */

function check() {
    const findings = [];
    const expect = (right, what) => { if (!right) findings.push(what); };
    let checked = 0;
    for (const group of groups.length ? groups : [null]) {
        focus = group;
        render();
        for (const element of document.querySelectorAll("[data-s]")) {
            const d = element.dataset;
            expect(d.v === text(Number(d.s), d.c), "row " + d.s + " " + d.c + " is not " + d.v);
            expect(element.firstChild.textContent === formats[d.f](Number(d.v)), d.c + " " + d.v + " is shown as " + element.textContent);
            checked++;
        }
    }
    for (const name of Object.keys(filters)) {
        const select = document.getElementById("filter-" + name);
        for (const option of select ? [...select.options].filter((o) => o.value) : []) {
            select.value = option.value;
            select.dispatchEvent(new Event("change"));
            const shown = document.querySelectorAll("#networks tr.pick").length;
            const wanted = groups.filter((group) => group[name] === option.value).length;
            expect(shown === wanted, name + "=" + option.value + " shows " + shown + " networks of " + wanted);
            const verify = allRows.filter((row) => text(row, "command") === "verify" && matches(row)).length;
            expect(document.getElementById("correctness").hidden === (verify === 0), name + "=" + option.value + ": correctness");
        }
        if (select) {
            select.value = "";
            select.dispatchEvent(new Event("change"));
        }
    }
    const button = document.querySelector("#winners th:nth-child(5) button");
    for (const down of button ? [false, true] : []) {
        button.click();
        const values = [...document.querySelectorAll("#winners tbody tr")].map((row) => Number(row.cells[4].dataset.v));
        expect(values.every((v, at) => !at || (down ? values[at - 1] >= v : values[at - 1] <= v)), "sorting by time");
    }
    const dark = document.documentElement.dataset.theme;
    document.getElementById("theme").click();
    expect(document.documentElement.dataset.theme !== dark, "the theme's button");
    if (dark) document.documentElement.dataset.theme = dark;
    else delete document.documentElement.dataset.theme;
    render();
    if (window.drawCharts) window.drawCharts(true);
    document.documentElement.dataset.checked = String(checked);
    document.documentElement.dataset.findings = findings.slice(0, 20).join("\n");
    document.documentElement.dataset.charts = String(document.querySelectorAll("canvas").length);
}

document.getElementById("subtitle").textContent = [data.sources.length + (data.sources.length === 1 ? " file" : " files"), data.rows + " rows",
    machines.join(", ")].filter(Boolean).join(" · ");
buildFilters();
buildTheme();
buildTip();
document.addEventListener("DOMContentLoaded", () => {
    if (!window.Chart) document.getElementById("main").prepend(make("p", { class: "warn", id: "no-charts" }, "Chart.js was not on the machine that wrote this page (Debian: libjs-chart.js), so there are tables and no charts."));
    render();
    document.documentElement.dataset.ready = String(Math.round(performance.now()));
    if (location.hash === "#check") check();
    else if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
});
