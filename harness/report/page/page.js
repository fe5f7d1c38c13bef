"use strict";
/* The page: unpacks the data, keeps the filters, and builds the tables. What is drawn with Chart.js is in charts.js.
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
const nameCell = (name) => make("td", null, name, tagSoftware(name));

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
        focus = shown.slice().sort((a, b) => b.layers.length * b.candidates.length - a.layers.length * a.candidates.length)[0] || null;
    const select = document.getElementById("filter-focus");
    if (select) {
        select.replaceChildren(...shown.map((group) => make("option", { value: group.at }, group.title)));
        if (focus) select.value = focus.at;
    }
}

/* ---- sections ---- */

const layerName = (layer) => text(layer.row, "layer") || text(layer.row, "problem");
const roofColumn = columns.has("pct_roof") ? "pct_roof" : "pct_peak";
const noisy = (row) => number(row, "mad_ns") > 0.05 * number(row, "median_ns");

function tiles() {
    const box = make("div", { class: "tiles" });
    const tile = (value, label) => box.append(make("div", { class: "tile" }, value instanceof Element ? value : make("b", null, String(value)), make("span", null, label)));
    const verified = matchingRows("verify");
    const failed = verified.filter((row) => !["PASS", "UNSUPPORTED", "SKIPPED", "MARGINAL"].includes(text(row, "verdict"))).length;
    if (verified.length) {
        const passed = verified.filter((row) => text(row, "verdict") === "PASS").length;
        tile(passed + " / " + (passed + failed), failed ? "verified cases pass; " + failed + " do not" : "verified cases pass");
    }
    if (focus && focus.timed) {
        const total = make("b", null);
        total.append(derived(focus.best_ns, "ms", bestFormula(focus), "span"), " ms");
        total.firstChild.className = "derived";
        tile(total, focus.network + " " + focus.pass + ", the best of each layer");
        if (focus.single >= 0) {
            const single = focus.candidates[focus.single];
            tile((single.ns / focus.best_ns).toFixed(2) + "×", "of that with one backend alone, " + single.name);
        }
        tile(short(number(focus.row, "peak_gflops")), "GFLOP/s, the measured peak, " + threadsText(focus.threads));
    }
    tile(candidates.length, "candidates" + (machines.length > 1 ? " on " + machines.length + " machines" : ""));
    return box;
}

function correctness() {
    const rows = matchingRows("verify");
    if (!rows.length) return null;
    const names = candidates.filter((name) => rows.some((row) => candidateOf(row) === name));
    const cells = new Map();
    for (const row of rows) {
        const key = text(row, "op") + "\n" + text(row, "pass") + "\n" + candidateOf(row);
        if (!cells.has(key)) cells.set(key, []);
        cells.get(key).push(row);
    }
    const ops = [...new Set(rows.map((row) => text(row, "op") + "\n" + text(row, "pass")))];
    const failures = rows.filter((row) => !["PASS", "UNSUPPORTED", "SKIPPED"].includes(text(row, "verdict")));
    const lines = ops.map((op) => [word(op.split("\n")[0]), word(op.split("\n")[1]), ...names.map((name) => {
        const here = cells.get(op + "\n" + name) || [];
        const count = (verdicts) => here.filter((row) => verdicts.includes(text(row, "verdict"))).length;
        const passed = count(["PASS"]), declined = count(["UNSUPPORTED", "SKIPPED"]), wrong = here.length - passed - declined;
        if (!here.length) return word("");
        const counted = "count of rows whose verdict is PASS, of " + here.length + " rows";
        if (wrong) return make("td", { class: "n fail", data: { v: -wrong, formula: counted } }, wrong + " wrong of " + here.length);
        if (!passed) return make("td", { class: "n mute", data: { v: 0, formula: text(here[0], "reason") } }, "–");
        return make("td", { class: "n pass", data: { v: passed, formula: counted } }, passed + "/" + here.length);
    })]);
    return [
        make("p", { class: "lead" }, "Verified cases: passed of all; the rest was declined with a reason. “–”: all were declined. The bound of the error is the harness's, never the kernel's."),
        table(["operation", "pass", ...names.map((name) => name + "#")], lines),
        ...(failures.length ? [make("h3", null, "What failed"), table(["candidate", "problem", "verdict", "error / bound#", "reason"],
            failures.slice(0, 500).map((row) => [nameCell(candidateOf(row)), word(text(row, "problem")), word(text(row, "verdict"), "fail"),
                cell(row, "error_in_bounds", "tiny"), word(text(row, "reason"), "wrap")]))] : []),
    ];
}

const bestFormula = (group) => "Σ over " + group.timed + " layers of count × the least median_ns of the layer";
function totalFormula(group, candidate) {
    const missing = group.timed - candidate.covered;
    return "Σ over " + candidate.covered + " layers of count × median_ns" + (missing
        ? "; and " + missing + " that it lacks at the time of " + (group.single >= 0 ? group.candidates[group.single].name : "the fastest")
        : "");
}

function networks() {
    const shown = matchingGroups();
    if (!shown.length) return null;
    const rows = shown.map((group) => {
        const single = group.single >= 0 ? group.candidates[group.single] : null;
        const row = make("tr", { class: "pick" + (group === focus ? " focus-row" : ""), onclick: () => { focus = group; render(); } },
            word(group.network), word(group.pass), make("td", { class: "n" }, group.batch ? String(group.batch) : ""), cell(group.row, "threads", "whole"), word(group.cache),
            derived(group.best_ns, "ms", bestFormula(group)), single ? nameCell(single.name) : word("none has every layer", "note"),
            single ? derived(single.ns, "ms", totalFormula(group, single)) : word(""),
            single ? derived(single.ns / group.best_ns, "ratio", "best single backend over best per layer") : word(""));
        if (machines.length > 1) row.append(word(group.machine));
        return row;
    });
    const heads = ["network", "pass", "batch#", "threads#", "cache", "best per layer, ms#", "best single backend", "ms#", "gap ×#"];
    const out = [make("p", { class: "lead" }, "Sums of count × median over the layers. Choose a row to see its details below."),
        table(machines.length > 1 ? [...heads, "machine"] : heads, rows)];
    if (focus) out.push(...totals(focus));
    return out;
}

function totals(group) {
    const most = Math.max(...group.candidates.map((c) => c.filled_ns), 1);
    const order = group.candidates.filter((c) => c.covered).sort((a, b) => a.filled_ns - b.filled_ns);
    const meters = (candidate) => {
        const scale = (ns) => (100 * ns / most).toFixed(2) + "%";
        return make("td", { style: "width:30%;min-width:120px" }, make("span", { class: "meter", style: "width:" + scale(candidate.ns) }),
            make("span", { class: "meter more", style: "width:" + scale(candidate.filled_ns - candidate.ns) }));
    };
    const fallback = group.single >= 0 ? "at the time of " + group.candidates[group.single].name : "at the fastest candidate's time, because none has every layer";
    return [make("h3", null, group.title),
        chartBox("totals", group),
        make("p", { class: "note" }, "“Whole” is what the network takes where layers that a candidate lacks are charged " + fallback + " (grey)."),
        table(["candidate", "layers#", "own, ms#", "whole, ms#", "of best per layer ×#", ""], order.map((c) => [nameCell(c.name),
            make("td", { class: "n derived", data: { v: c.covered, formula: "layers with a valid time" } }, c.covered + "/" + group.timed),
            derived(c.ns, "ms", "Σ over " + c.covered + " layers of count × median_ns"), derived(c.filled_ns, "ms", totalFormula(group, c)),
            derived(c.filled_ns / group.best_ns, "ratio", "whole over best per layer"), meters(c)]))];
}

/* Stops of cividis (Nuñez, Anderton, Renslow 2018), dark to bright. */
const cividis = [[0, 34, 78], [54, 60, 107], [92, 92, 110], [123, 124, 120], [158, 156, 117], [198, 190, 100], [254, 232, 56]];
function heatColour(share) {
    const at = Math.min(Math.max(share, 0), 1) * (cividis.length - 1), low = Math.min(Math.floor(at), cividis.length - 2);
    const rgb = cividis[low].map((v, k) => Math.round(v + (cividis[low + 1][k] - v) * (at - low)));
    const bright = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2] > 125;
    return "background:rgb(" + rgb + ");color:" + (bright ? "#111" : "#fff");
}
function heat() {
    if (!focus) return null;
    const rows = focus.layers.filter((layer) => layer.best >= 0).map((layer) => {
        const fastest = number(layer.best, "median_ns");
        return [make("td", { title: text(layer.row, "problem") }, layerName(layer)), cell(layer.row, "count", "whole"), ...layer.times.map((row) => {
            if (row < 0) return word("");
            const inner = cell(row, "gflops", "plain", "span");
            const share = fastest / number(row, "median_ns");
            const td = make("td", { class: "h" + (row === layer.best ? " win" : ""), style: heatColour((Math.log2(share) + 4) / 4) }, inner);
            if (!text(row, "gflops")) td.append(cell(row, "median_ns", "us", "span"), " µs");
            const roof = cell(row, roofColumn, "percent", "small");
            if (roof.textContent) { roof.append(" %"); td.append(roof); }
            if (noisy(row)) td.append(make("small", { title: "spread above 5 % of the median" }, "~"));
            return td;
        })];
    });
    return [make("p", { class: "lead" }, "Effective GFLOP/s, and % of the measured " + (roofColumn === "pct_roof" ? "roof" : "peak") + ". Colour: how close to the layer's fastest, from a sixteenth of its speed",
        make("span", { class: "key", style: "background:linear-gradient(90deg," + cividis.map((c) => "rgb(" + c + ")").join() + ")" }), "to the fastest (bold). “~”: noisy. Empty: declined, or no valid time."),
        table(["layer", "×#", ...focus.candidates.map((c) => c.name + "#")], rows, "heat")];
}

function winners() {
    if (!focus) return null;
    const rows = focus.layers.filter((layer) => layer.best >= 0).map((layer) => [
        word(layerName(layer)), word(text(layer.row, "problem")), make("td", { class: "win" }, candidateOf(layer.best), tagSoftware(candidateOf(layer.best))),
        word(text(layer.best, "algorithm")), cell(layer.best, "median_ns", "us"), cell(layer.best, "gflops", "plain"), cell(layer.best, roofColumn, "percent"),
        word(layer.second >= 0 ? candidateOf(layer.second) : ""),
        layer.second >= 0 ? derived(number(layer.second, "median_ns") / number(layer.best, "median_ns"), "ratio", "the runner-up's median_ns over the winner's") : word(""),
        layer.tie ? word("tie", "mute") : word("")]);
    return [make("p", { class: "lead" }, "“tie”: the intervals of the two medians overlap, so their order is not known."),
        table(["layer", "problem", "fastest", "algorithm", "µs#", "GFLOP/s#", "% " + (roofColumn === "pct_roof" ? "roof" : "peak") + "#", "runner-up", "slower ×#", ""], rows)];
}

function kernelName(shape) {
    return shape.kh + "×" + shape.kw + (shape.s > 1 ? " stride " + shape.s : "") + (shape.g > 1 ? shape.g === shape.c ? " depthwise" : " grouped" : "");
}
function wonLayers() {
    return matchingGroups().flatMap((group) => group.layers.filter((layer) => layer.shape && layer.best >= 0 && layer.family).map((layer) => ({ ...layer, group })));
}
function where() {
    const won = wonLayers();
    if (!won.length) return null;
    const kernels = [...new Set(won.map((layer) => kernelName(layer.shape)))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    const families = ["direct", "lowering", "winograd", "fft"].filter((f) => won.some((layer) => layer.family === f));
    const rows = kernels.map((kernel) => {
        const here = won.filter((layer) => kernelName(layer.shape) === kernel);
        return [word(kernel), make("td", { class: "n derived", data: { v: here.length, formula: "layers with a winner" } }, String(here.length)), ...families.map((family) => {
            const mine = here.filter((layer) => layer.family === family), ties = mine.filter((layer) => layer.tie).length;
            if (!mine.length) return make("td", { class: "n mute", data: { v: 0 } }, "–");
            return make("td", { class: "n derived" + (mine.length * 2 > here.length ? " win" : ""), data: { v: mine.length,
                formula: "layers won; channels " + span(mine.map((l) => l.shape.c)) + ", image " + span(mine.map((l) => l.shape.h)) + (ties ? "; " + ties + " of them ties" : "") } }, String(mine.length));
        })];
    });
    return [make("p", { class: "lead" }, "Each convolution layer of the tables chosen above, where it lies and what idea wins it: direct sums, lowering to a matrix product, Winograd, FFT. Hollow: a tie."),
        chartBox("where", won), table(["kernel", "layers#", ...families.map((f) => f + "#")], rows, "")];
}
function span(values) {
    const low = Math.min(...values), high = Math.max(...values);
    return low === high ? String(low) : low + "–" + high;
}

function roofline() {
    if (!focus || !focus.layers.some((layer) => layer.flops && layer.bytes && layer.best >= 0)) return null;
    return [make("p", { class: "lead" }, "Each point is a layer: operations per byte of the least traffic (inputs read once, outputs written once) against effective GFLOP/s. Points above the peak save multiplications."),
        chartBox("roofline", focus)];
}

let distributionLayer = 0;
function distributions() {
    if (!focus) return null;
    const timed = focus.layers.map((layer, at) => [layer, at]).filter(([layer]) => layer.best >= 0);
    if (!timed.length) return null;
    if (!timed.some(([, at]) => at === distributionLayer)) distributionLayer = timed[0][1];
    const select = make("select", { id: "layer", onchange: () => { distributionLayer = Number(select.value); render("distributions"); } },
        ...timed.map(([layer, at]) => make("option", { value: at }, layerName(layer) + "  " + text(layer.row, "problem"))));
    select.value = distributionLayer;
    const layer = focus.layers[distributionLayer];
    const rows = layer.times.filter((row) => row >= 0).sort((a, b) => number(a, "median_ns") - number(b, "median_ns"));
    const raw = rows.some((row) => batches.has(row));
    return [make("p", { class: "lead" }, "Times of a layer, batch by batch, with the median and its 95 % interval."),
        make("label", { class: "note" }, "layer ", select),
        chartBox("distribution", rows),
        make("p", { class: "note" }, raw ? (data.batches.all ? "Points: every batch of the sample file." : "Points: every batch, for the " + data.batches.most + " fastest candidates of each layer; the page has no room for more.")
            : "No sample file stood beside the result file: bars show the interval of the median, or the median absolute deviation."),
        table(["candidate", "median, µs#", "low#", "high#", "MAD#", "p5#", "p95#", "least#", "rounds#", "disturbed#", "noise floor %#"], rows.map((row) => [nameCell(candidateOf(row)),
            cell(row, "median_ns", "us"), cell(row, "low_ns", "us"), cell(row, "high_ns", "us"), cell(row, "mad_ns", "us"), cell(row, "p5_ns", "us"), cell(row, "p95_ns", "us"),
            cell(row, "min_ns", "us"), cell(row, "rounds", "whole"), cell(row, "disturbed", "whole"), cell(row, "noise_pct", "percent")]))];
}

function accuracy() {
    const rows = [...matchingRows("verify"), ...matchingRows("bench")].filter((row) => text(row, "error_in_bounds") !== "");
    if (!rows.length) return null;
    const worst = (list, column) => list.reduce((a, b) => (number(b, column) > number(a, column) || Number.isNaN(number(a, column)) ? b : a), list[0]);
    const lines = candidates.map((name) => [name, rows.filter((row) => candidateOf(row) === name)]).filter(([, list]) => list.length).map(([name, list]) => {
        const row = worst(list, "error_in_bounds");
        return [nameCell(name), word([...new Set(list.map((r) => text(r, "accuracy_class")))].filter(Boolean).sort().join(", ")),
            make("td", { class: "n derived", data: { v: list.length, formula: "rows with an error" } }, String(list.length)),
            cell(row, "error_in_bounds", "tiny"), word(text(row, "problem")), cell(worst(list, "l2_rel"), "l2_rel", "tiny"), cell(worst(list, "backward_error"), "backward_error", "tiny")];
    });
    return [make("p", { class: "lead" }, "The worst error of each case in units of its bound, which the harness derives from the arithmetic that the plan declares: at 1 the bound is reached. Classes are never compared with each other."),
        chartBox("accuracy", rows), table(["candidate", "classes", "cases#", "worst error / bound#", "where", "worst ‖y−r‖/‖r‖#", "worst backward error, 2⁻²⁴#"], lines)];
}

function memory() {
    if (!focus) return null;
    const rows = focus.candidates.filter((c) => c.covered).map((c) => [nameCell(c.name), derived(c.workspace_bytes, "mib", "the largest workspace_bytes of any layer"),
        derived(c.prepared_bytes, "mib", "Σ over the layers of count × prepared_bytes"), derived(c.workspace_bytes + c.prepared_bytes, "mib", "largest workspace and all prepared weights")]);
    const layers = focus.layers.filter((layer) => layer.best >= 0).map((layer) => [word(layerName(layer)), ...layer.times.map((row) => (row < 0 ? word("") : cell(row, "workspace_bytes", "mib")))]);
    return [make("p", { class: "lead" }, "Workspace is free between layers, so the largest counts; prepared weights stay, so they add up. MiB."),
        table(["candidate", "largest workspace#", "prepared weights#", "together#"], rows, ""),
        make("details", null, make("summary", null, "Workspace of each layer, MiB"), table(["layer", ...focus.candidates.map((c) => c.name + "#")], layers))];
}

function phases() {
    const rows = focus ? focus.layers.flatMap((layer) => layer.times).filter((row) => text(row, "phases")) : [];
    if (!rows.length) return null;
    return [make("p", { class: "lead" }, "One more execution of each, by phase, as the plugin tells them apart, in ns. The median is never made of these."),
        table(["layer", "candidate", "median, µs#", "without moves, µs#", "phases, ns"], rows.map((row) => [word(text(row, "layer")), nameCell(candidateOf(row)), cell(row, "median_ns", "us"),
            cell(row, "without_moves_ns", "us"), word(text(row, "phases"), "wrap")]))];
}

function caches() {
    const key = (row) => ["machine", "network", "layer", "problem", "threads", "backend", "variant"].map((name) => text(row, name)).join("\n");
    const all = allRows.filter((row) => text(row, "command") === "bench" && text(row, "median_ns"));
    const cold = new Map(all.filter((row) => text(row, "cache") === "cold").map((row) => [key(row), row]));
    const pairs = all.filter((row) => text(row, "cache") === "hot" && cold.has(key(row)) && (!filters.network || unnamed(text(row, "network")) === filters.network));
    if (!pairs.length) return null;
    return [make("p", { class: "lead" }, "The same case with its tensors in the caches, and without: cold calls take turns over sets three times the last cache."),
        table(["layer", "problem", "candidate", "threads#", "hot, µs#", "cold, µs#", "cold / hot#"], pairs.map((row) => [word(text(row, "layer")), word(text(row, "problem")), nameCell(candidateOf(row)),
            cell(row, "threads", "whole"), cell(row, "median_ns", "us"), cell(cold.get(key(row)), "median_ns", "us"),
            derived(number(cold.get(key(row)), "median_ns") / number(row, "median_ns"), "ratio", "cold median_ns over hot median_ns")]))];
}

function builds() {
    const rows = matchingRows("compare");
    if (!rows.length) return null;
    const kinds = { REGRESSED: "fail", IMPROVED: "pass", EQUIVALENT: "mute", INCONCLUSIVE: "mute" };
    rows.sort((a, b) => (text(b, "layer") === "(network)") - (text(a, "layer") === "(network)"));
    return [make("p", { class: "lead" }, "Two builds in one interleaved run. A change is called where the exact 95 % interval excludes none, p holds after Holm's correction, and it is above the threshold and twice the noise floor."),
        table(["candidate", "network", "layer", "problem", "old, µs#", "new, µs#", "change %#", "from#", "to#", "p (Holm)#", "noise %#", "verdict", "why"], rows.map((row) => make("tr", text(row, "layer") === "(network)" ? { class: "win" } : null,
            nameCell(candidateOf(row)), word(text(row, "network")), word(text(row, "layer")), word(text(row, "problem")), cell(row, "baseline_ns", "us"), cell(row, "median_ns", "us"), cell(row, "ratio", "change"),
            cell(row, "ratio_low", "change"), cell(row, "ratio_high", "change"), cell(row, "p_holm", "tiny"), cell(row, "noise_pct", "percent"), word(text(row, "verdict"), kinds[text(row, "verdict")] || "fail"), word(text(row, "reason"), "wrap"))))];
}

function acrossMachines() {
    if (machines.length < 2) return null;
    const shown = matchingGroups().slice().sort((a, b) => (a.network + a.pass + a.batch + a.threads + a.cache).localeCompare(b.network + b.pass + b.batch + b.threads + b.cache, "en", { numeric: true }));
    return [make("p", { class: "lead" }, "The same network on different machines. Compare times where all layers are timed on both; a software device says nothing about a GPU."),
        chartBox("machines", shown),
        table(["network", "pass", "batch#", "threads#", "cache", "machine", "processor", "peak GFLOP/s#", "layers#", "best per layer, ms#", "best single backend", "ms#"], shown.map((group) => {
            const single = group.single >= 0 ? group.candidates[group.single] : null;
            return [word(group.network), word(group.pass), make("td", { class: "n" }, group.batch ? String(group.batch) : ""), cell(group.row, "threads", "whole"), word(group.cache), word(group.machine), word(text(group.row, "cpu")),
                cell(group.row, "peak_gflops", "plain"), make("td", { class: "n derived", data: { v: group.timed, formula: "layers with a valid time" } }, String(group.timed)),
                derived(group.best_ns, "ms", bestFormula(group)), single ? nameCell(single.name) : word(""), single ? derived(single.ns, "ms", totalFormula(group, single)) : word("")];
        }))];
}

/* A file whose columns belong to others: every field as it stands. */
const sheetTable = (sheet, rows) => {
    const numeric = sheet.columns.map((_, at) => rows.length > 0 && rows.every((row) => row[at] === "" || Number.isFinite(Number(row[at]))));
    return table(sheet.columns.map((name, at) => name + (numeric[at] ? "#" : "")), rows.map((row) => row.map((value, at) => (numeric[at] && value !== "" ? make("td", { class: "n", data: { v: value } }, value) : word(value)))));
};
function selection() {
    return data.select ? [make("p", { class: "lead" }, "What convoy select chose, row by row as in its file."), sheetTable(data.select, data.select.rows)] : null;
}
function training() {
    if (!data.training) return null;
    const at = (name) => data.training.columns.indexOf(name);
    const last = new Map(data.training.rows.map((row) => [row[at("network")] + "\n" + row[at("backend")], row]));
    return [make("p", { class: "lead" }, "The same training with each backend: same data, same start. Below, the last step of each, and how far its gradients were from the referee's."),
        chartBox("training", data.training), sheetTable(data.training, [...last.values()])];
}

function provenance() {
    const first = new Map();
    for (const row of allRows) {
        const key = ["machine", "backend", "variant", "plugin_hash", "seed"].map((name) => text(row, name)).join("\n");
        const entry = first.get(key);
        if (entry) entry.rows++;
        else first.set(key, { row, rows: 1 });
    }
    const hosts = new Map();
    for (const row of allRows) {
        const key = text(row, "machine") + "\n" + text(row, "threads") + "\n" + text(row, "peak_gflops");
        if (text(row, "machine") && text(row, "peak_gflops") && !hosts.has(key)) hosts.set(key, row);
    }
    return [make("h3", null, "Files"), table(["file", "rows#"], data.sources.map((s) => [word(s.name), make("td", { class: "n derived", data: { v: s.count, formula: "rows of the file" } }, String(s.count))]), ""),
        make("h3", null, "Machines"), table(["machine", "processor", "threads#", "measured peak, GFLOP/s#", "first row", "harness"], [...hosts.values()].map((row) => [word(text(row, "machine")), word(text(row, "cpu")),
            cell(row, "threads", "whole"), cell(row, "peak_gflops", "plain"), word(text(row, "utc")), word(text(row, "revision"))])),
        make("h3", null, "Plugins"), table(["candidate", "version", "plugin file", "seed#", "machine", "rows#"], [...first.values()].map(({ row, rows }) => [nameCell(candidateOf(row)), word(text(row, "plugin_version")),
            word(text(row, "plugin_hash")), cell(row, "seed", "whole"), word(text(row, "machine")), make("td", { class: "n derived", data: { v: rows, formula: "rows" } }, String(rows))])),
        make("p", { class: "note" }, "Written by " + data.harness + ".")];
}

const sections = [
    ["correctness", "Is it right?", correctness],
    ["networks", "What does a whole network cost?", networks],
    ["machines", "Across machines", acrossMachines],
    ["heat", "Every layer, every candidate", heat, true],
    ["winners", "Who wins each layer?", winners, true],
    ["where", "Which algorithm wins where?", where],
    ["roofline", "How far from the roof?", roofline, true],
    ["distributions", "How sure are the times?", distributions, true],
    ["accuracy", "How accurate?", accuracy],
    ["memory", "How much memory?", memory, true],
    ["phases", "Where does the time go?", phases, true],
    ["caches", "Hot and cold caches", caches],
    ["builds", "Two builds compared", builds],
    ["selection", "Selection", selection],
    ["training", "Training", training],
    ["provenance", "Where the numbers come from", provenance],
];

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
    for (const element of document.querySelectorAll("[data-s]")) {
        const d = element.dataset;
        expect(d.v === text(Number(d.s), d.c), "row " + d.s + " " + d.c + " is not " + d.v);
        expect(element.firstChild.textContent === formats[d.f](Number(d.v)), d.c + " " + d.v + " is shown as " + element.textContent);
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
    document.documentElement.dataset.checked = String(document.querySelectorAll("[data-s]").length);
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
});
