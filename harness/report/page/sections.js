"use strict";
/* The sections: each builder returns the elements of one, or null where the data has nothing for it. */

const layerName = (layer) => text(layer.row, "layer") || text(layer.row, "problem");
/* % of the roof, or of the peak in files that know no roof. */
const roofColumn = (row) => (text(row, "pct_roof") ? "pct_roof" : "pct_peak");
const roofName = columns.has("pct_roof") ? "roof" : "peak";
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
    const heads = ["operation", "pass", ...names.map((name) => name + "#")];
    const elementwise = (op) => !/^(conv|bn_|[a-z0-9]*pool)/.test(op);
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
        table(heads, lines.filter((_, at) => !elementwise(ops[at]))),
        ...(ops.some(elementwise) ? [make("details", null, make("summary", null, "Element-wise operations"), table(heads, lines.filter((_, at) => elementwise(ops[at]))))] : []),
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
        if (window.Chart) return null;
        return make("td", { style: "width:30%;min-width:120px" }, make("span", { class: "meter", style: "width:" + scale(candidate.ns) }),
            make("span", { class: "meter more", style: "width:" + scale(candidate.filled_ns - candidate.ns) }));
    };
    const fallback = group.single >= 0 ? "at the time of " + group.candidates[group.single].name : "at the fastest candidate's time, because none has every layer";
    return [make("h3", null, group.title),
        chartBox("totals", group),
        make("p", { class: "note" }, "“Whole” is what the network takes where layers that a candidate lacks are charged " + fallback + " (grey)."),
        table(["candidate", "layers#", "own, ms#", "whole, ms#", "of best per layer ×#", ...(window.Chart ? [] : [""])], order.map((c) => [nameCell(c.name),
            make("td", { class: "n derived", data: { v: c.covered, formula: "layers with a valid time" } }, c.covered + "/" + group.timed),
            derived(c.ns, "ms", "Σ over " + c.covered + " layers of count × median_ns"), derived(c.filled_ns, "ms", totalFormula(group, c)),
            derived(c.filled_ns / group.best_ns, "ratio", "whole over best per layer"), meters(c)].filter(Boolean)))];
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
            const roof = cell(row, roofColumn(row), "percent", "small");
            if (roof.textContent) { roof.append(" %"); td.append(roof); }
            if (noisy(row)) td.append(make("small", { title: "spread above 5 % of the median" }, "~"));
            return td;
        })];
    });
    return [make("p", { class: "lead" }, "Effective GFLOP/s, and % of the measured " + roofName + ". Colour: how close to the layer's fastest, from a sixteenth of its speed",
        make("span", { class: "key", style: "background:linear-gradient(90deg," + cividis.map((c) => "rgb(" + c + ")").join() + ")" }), "to the fastest (bold). “~”: noisy. Empty: declined, or no valid time."),
        table(["layer", "×#", ...focus.candidates.map((c) => c.name + "#")], rows, "heat")];
}

function winners() {
    if (!focus) return null;
    const rows = focus.layers.filter((layer) => layer.best >= 0).map((layer) => [
        word(layerName(layer)), word(text(layer.row, "problem")), make("td", { class: "win" }, candidateOf(layer.best), tagSoftware(candidateOf(layer.best)), tagRow(layer.best)),
        word(text(layer.best, "algorithm")), cell(layer.best, "median_ns", "us"), cell(layer.best, "gflops", "plain"), cell(layer.best, roofColumn(layer.best), "percent"),
        make("td", null, layer.second >= 0 ? candidateOf(layer.second) : "", layer.second >= 0 ? tagRow(layer.second) : null),
        layer.second >= 0 ? derived(number(layer.second, "median_ns") / number(layer.best, "median_ns"), "ratio", "the runner-up's median_ns over the winner's") : word(""),
        layer.tie ? word("tie", "mute") : word("")]);
    return [make("p", { class: "lead" }, "“tie”: the intervals of the two medians overlap, so their order is not known."),
        table(["layer", "problem", "fastest", "algorithm", "µs#", "GFLOP/s#", "% " + roofName + "#", "runner-up", "slower ×#", ""], rows)];
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
    return [make("p", { class: "lead" }, "Each convolution layer of the tables chosen above, where it lies and what idea wins it: direct sums, lowering to a matrix product, Winograd, FFT. Hollow: a tie. Pictures of the nine most frequent kernels; the table has all."),
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

/* Two rows of nothing first: what a launch costs by itself. */
function devices() {
    const rows = matchingRows("bench").filter((row) => text(row, "median_ns") && text(row, "domain") && text(row, "domain") !== "host");
    if (!rows.length) return null;
    const seen = new Set();
    const lines = rows.flatMap((row) => {
        const key = ["machine", "domain", "backend", "variant"].map((name) => text(row, name)).join("\n"), head = [nameCell(candidateOf(row)), word(text(row, "domain"))];
        const nothing = (what, column) => [...head.map((element) => element.cloneNode(true)), word(what), word(""), cell(row, column, "us"), word(""), word("")];
        const fixed = seen.has(key) || !text(row, "launch_ns") ? [] : [nothing("(nothing, waited for)", "launch_ns"), nothing("(nothing, queued)", "queued_ns")];
        seen.add(key);
        return [...fixed, [...head, word(text(row, "problem")), cell(row, "without_moves_ns", "us"), cell(row, "median_ns", "us"), cell(row, "upload_ns", "us"), cell(row, "download_ns", "us")]];
    });
    return [make("p", { class: "lead" }, "Kernels by the device's own clock, executions with their launches by the host's, and the copies of the activations there and back, which no execution contains."),
        table(["candidate", "memory", "problem", "kernels, µs#", "execution, µs#", "upload, µs#", "download, µs#"], lines)];
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
    const kinds = { REGRESSED: "fail", IMPROVED: "pass", EQUIVALENT: "mute", INCONCLUSIVE: "mute", UNSUPPORTED: "mute", SKIPPED: "mute" };
    const verdict = (row) => make("td", { class: kinds[text(row, "verdict")] || "fail", title: text(row, "reason") }, text(row, "verdict"));
    const whole = rows.filter((row) => text(row, "layer") === "(network)" && text(row, "reason"));
    rows.sort((a, b) => (text(b, "layer") === "(network)") - (text(a, "layer") === "(network)"));
    return [make("p", { class: "lead" }, "Two builds in one interleaved run. A change is called where the exact 95 % interval excludes none, p holds after Holm's correction, and it is above the threshold and twice the noise floor."),
        table(["candidate", "network", "layer", "problem", "old, µs#", "new, µs#", "change %#", "from#", "to#", "p (Holm)#", "noise %#", "verdict"], rows.map((row) => make("tr", text(row, "layer") === "(network)" ? { class: "win" } : null,
            nameCell(candidateOf(row)), word(text(row, "network")), word(text(row, "layer")), word(text(row, "problem")), cell(row, "baseline_ns", "us"), cell(row, "median_ns", "us"), cell(row, "ratio", "change"),
            cell(row, "ratio_low", "change"), cell(row, "ratio_high", "change"), cell(row, "p_holm", "tiny"), cell(row, "noise_pct", "percent"), verdict(row)))),
        ...whole.map((row) => make("p", { class: "note" }, text(row, "network") + " " + text(row, "pass") + ", " + candidateOf(row) + ": " + text(row, "verdict") + ". " + text(row, "reason")))];
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
    ["devices", "What do launches and copies cost?", devices],
    ["caches", "Hot and cold caches", caches],
    ["builds", "Two builds compared", builds],
    ["selection", "Selection", selection],
    ["training", "Training", training],
    ["provenance", "Where the numbers come from", provenance],
];
