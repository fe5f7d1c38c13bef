"use strict";
/* The pictures, with Chart.js: each drawer gets the subject of a box and returns a chart's configuration, or null for nothing to
 * draw. Knows the helpers of page.js. */
(function () {
    if (!window.Chart) return;
    /* Okabe and Ito, "Color Universal Design", 2008; black is replaced by grey, which both themes can show. */
    const okabeIto = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#a08c00", "#8a8f98"];
    const shapes = ["circle", "rect", "triangle", "rectRot", "star", "crossRot", "cross"];
    const colour = (at) => okabeIto[at % okabeIto.length];
    const shape = (at) => shapes[Math.floor(at / okabeIto.length + at) % shapes.length];
    const candidateColour = (name) => colour(candidates.indexOf(name));
    const candidateShape = (name) => shape(candidates.indexOf(name));
    const familyStyle = { direct: [0, "circle"], lowering: [1, "rect"], winograd: [2, "triangle"], fft: [3, "rectRot"] };
    const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const live = new Set();

    Chart.defaults.animation = false;
    Chart.defaults.maintainAspectRatio = false;
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;

    const axis = (title, more) => ({ title: { display: !!title, text: title, color: css("--soft") }, ticks: { color: css("--soft"), ...(more && more.ticks) },
        grid: { color: css("--line") }, ...Object.fromEntries(Object.entries(more || {}).filter(([key]) => key !== "ticks")) });
    /* On a logarithmic axis: 1, 2 and 5 of each decade, or powers of two. */
    const decades = { callback: (v) => ([1, 2, 5].includes(Number((v / 10 ** Math.floor(Math.log10(v) + 1e-9)).toPrecision(6))) ? String(Number(v.toPrecision(3))) : ""), autoSkip: true, maxRotation: 0 };
    const legend = { labels: { color: css("--text"), usePointStyle: true, boxWidth: 8, boxHeight: 8, padding: 12 } };
    const logarithmic = (title, more) => axis(title, { type: "logarithmic", ticks: decades, ...more });
    const pointLabel = { displayColors: false, callbacks: { title: () => "", label: (context) => context.raw.label || "" } };
    const cut = (name) => (name.length > 24 ? name.slice(0, 23) + "…" : name);

    function totalsChart(group) {
        const order = group.candidates.filter((c) => c.covered).sort((a, b) => a.filled_ns - b.filled_ns);
        if (!order.length) return null;
        const best = { name: "best per layer", ns: group.best_ns, filled_ns: group.best_ns };
        const bars = [best, ...order];
        const most = clippedMost(bars);
        return { height: 70 + 26 * bars.length, type: "bar", data: { labels: bars.map((c) => cut(c.name) + (c.software ? " (software)" : "") + (c.filled_ns / 1e6 > most ? ", " + short(c.filled_ns / 1e6) + " ms →" : "")), datasets: [
            { label: "own layers", data: bars.map((c) => c.ns / 1e6), backgroundColor: bars.map((c) => (c === best ? css("--text") : candidateColour(c.name))), stack: "t", maxBarThickness: 18 },
            { label: "layers that it lacks, by the fallback", data: bars.map((c) => (c.filled_ns - c.ns) / 1e6), backgroundColor: css("--shade"), stack: "t", maxBarThickness: 18 }] },
        options: { indexAxis: "y", scales: { x: axis("ms, whole network", { stacked: true, max: most }), y: axis("", { stacked: true, ticks: { color: css("--text"), autoSkip: false } }) },
            plugins: { legend: { display: false }, tooltip: { callbacks: { label: (context) => context.dataset.label + ": " + short(context.raw) + " ms" } } } } };
    }
    /* One candidate that is far behind the others would press them against the axis: it is cut, and the table has its time. */
    function clippedMost(bars) {
        const values = bars.map((c) => c.filled_ns / 1e6).sort((a, b) => a - b);
        const most = values[values.length - 1], middle = values[Math.floor(values.length / 2)];
        const decade = 10 ** Math.floor(Math.log10(5 * middle));
        return most > 8 * middle ? Math.ceil(5 * middle / decade) * decade : undefined;
    }

    function roofChart(group) {
        const peak = number(group.row, "peak_gflops");
        const sets = group.candidates.map((c, at) => ({ label: cut(c.name), backgroundColor: candidateColour(c.name) + "cc", borderColor: candidateColour(c.name), pointStyle: candidateShape(c.name), pointRadius: 4.5,
            data: group.layers.filter((layer) => layer.times[at] >= 0 && layer.flops && layer.bytes && number(layer.times[at], "gflops") > 0).map((layer) => ({ x: layer.flops / layer.bytes, y: number(layer.times[at], "gflops"),
                label: layerName(layer) + ", " + c.name + ": " + short(number(layer.times[at], "gflops")) + " GFLOP/s" })) })).filter((set) => set.data.length);
        if (!sets.length) return null;
        const xs = sets.flatMap((set) => set.data.map((p) => p.x)), left = Math.min(...xs) / 1.5, right = Math.max(...xs) * 1.5;
        const levels = new Map(); /* one line for each level: what it gives at best, of the mixes of reads and writes in the rows */
        for (const row of group.layers.flatMap((layer) => layer.times).filter((row) => number(row, "roof_gbps") > 0 && text(row, "roof") !== "FMA"))
            levels.set(text(row, "roof"), Math.max(levels.get(text(row, "roof")) || 0, number(row, "roof_gbps")));
        for (const [level, gbps] of levels)
            sets.push(roofLine(level + " " + short(gbps) + " GB/s", [{ x: left, y: left * gbps }, { x: Math.min(right, peak / gbps), y: Math.min(peak, right * gbps) }], [3, 4]));
        if (peak > 0) sets.push(roofLine("peak " + short(peak) + " GFLOP/s", [{ x: left, y: peak }, { x: right, y: peak }], [8, 4]));
        return { height: 430, type: "scatter", data: { datasets: sets }, options: { scales: { x: logarithmic("operations per byte of least traffic", { min: left, max: right }), y: logarithmic("effective GFLOP/s") },
            plugins: { legend: { ...legend, position: "bottom" }, tooltip: pointLabel } } };
    }
    const roofLine = (label, points, dash) => ({ type: "line", label, data: points, borderColor: css("--text"), borderWidth: 1.6, borderDash: dash, pointRadius: 0, pointStyle: "line", fill: false });

    /* Points of one candidate are spread over its line by their order, so that equal times stay apart. */
    function distributionChart(rows) {
        const ticks = rows.map(candidateOf), sets = [];
        const inUs = (row, column) => number(row, column) / 1e3;
        rows.forEach((row, at) => {
            const name = candidateOf(row), raw = batches.get(row) || [];
            if (raw.length) sets.push({ kind: "batch", data: raw.map((ns, b) => ({ x: ns / 1e3, y: at + 0.5 * ((b * 0.618034) % 1) - 0.25, label: name + ", batch " + (b + 1) + ": " + short(ns / 1e3) + " µs" })),
                backgroundColor: candidateColour(name) + "88", pointRadius: 3, borderWidth: 0 });
            const low = inUs(row, "low_ns") || inUs(row, "median_ns") - (inUs(row, "mad_ns") || 0), high = inUs(row, "high_ns") || inUs(row, "median_ns") + (inUs(row, "mad_ns") || 0);
            sets.push({ type: "line", data: [{ x: low, y: at }, { x: high, y: at }], borderColor: css("--text"), borderWidth: 2, pointRadius: 0 });
            sets.push({ data: [{ x: inUs(row, "median_ns"), y: at, label: name + ", median: " + short(inUs(row, "median_ns")) + " µs" }], pointStyle: "line", rotation: 90, pointRadius: 9, borderWidth: 2.5, borderColor: css("--text") });
        });
        return { height: 80 + 34 * rows.length, type: "scatter", data: { datasets: sets }, options: { scales: { x: logarithmic("µs"),
            y: axis("", { reverse: true, min: -0.6, max: rows.length - 0.4, grid: { display: false }, afterBuildTicks: (scale) => { scale.ticks = rows.map((_, value) => ({ value })); }, ticks: { color: css("--text"), autoSkip: false, callback: (v) => cut(ticks[v] || "") } }) },
            plugins: { legend: { display: false }, tooltip: pointLabel } } };
    }

    /* Layers of the same size are moved apart a little. */
    function whereCharts(won) {
        const kernels = [...new Set(won.map((layer) => kernelName(layer.shape)))].sort((a, b) => won.filter((l) => kernelName(l.shape) === b).length - won.filter((l) => kernelName(l.shape) === a).length).slice(0, 9);
        const sizes = won.map((l) => l.shape.h), channels = won.map((l) => l.shape.c);
        const powers = { callback: (v) => (v >= 1 && Number.isInteger(Math.log2(v)) ? String(v) : ""), autoSkip: false, maxRotation: 0 };
        const grow = (values, up) => 2 ** (up ? Math.ceil(Math.log2(Math.max(...values)) + 0.4) : Math.floor(Math.log2(Math.min(...values)) - 0.4));
        const powerTicks = (scale) => { scale.ticks = []; for (let v = scale.min; v <= scale.max; v *= 2) if (scale.ticks.length < 14) scale.ticks.push({ value: v }); };
        return kernels.map((kernel) => {
            const seen = new Map(), sets = new Map();
            for (const layer of won.filter((l) => kernelName(l.shape) === kernel)) {
                const place = layer.shape.h + " " + layer.shape.c, before = seen.get(place) || 0;
                seen.set(place, before + 1);
                const turn = before * 2.399963, away = before ? 0.09 * Math.sqrt(before) : 0; /* a sunflower's seeds */
                const [at, style] = familyStyle[layer.family], key = layer.family + layer.tie;
                if (!sets.has(key)) sets.set(key, { label: layer.family, data: [], pointStyle: style, pointRadius: 6, borderWidth: 1.8, borderColor: colour(at), backgroundColor: layer.tie ? "transparent" : colour(at) + "bb" });
                sets.get(key).data.push({ x: Math.max(layer.shape.h, 1) * 2 ** (away * Math.cos(turn)), y: Math.max(layer.shape.c, 1) * 2 ** (away * Math.sin(turn)),
                    label: [layer.group.network + " " + layerName(layer) + ", " + layer.group.pass + ", " + threadsText(layer.group.threads), layer.shape.c + " → " + layer.shape.k + " channels, " + layer.shape.h + "×" + layer.shape.w,
                        candidateOf(layer.best) + " (" + layer.family + ")" + (layer.tie ? ", a tie" : "")] });
            }
            return { title: kernel, type: "scatter", data: { datasets: [...sets.values()] }, options: { scales: { x: axis("image height", { type: "logarithmic", min: grow(sizes, false), max: grow(sizes, true), afterBuildTicks: powerTicks, ticks: powers }),
                y: axis("input channels", { type: "logarithmic", min: grow(channels, false), max: grow(channels, true), afterBuildTicks: powerTicks, ticks: powers }) }, plugins: { legend: { display: false }, tooltip: pointLabel } } };
        });
    }

    function accuracyChart(rows) {
        const names = candidates.filter((name) => rows.some((row) => candidateOf(row) === name));
        const least = 1e-4; /* exact results lie here, at the left edge */
        const seen = new Map();
        const sets = names.map((name, at) => ({ label: name, backgroundColor: candidateColour(name) + "99", pointRadius: 2.6, borderWidth: 0,
            data: rows.filter((row) => candidateOf(row) === name).filter((row) => { const key = name + number(row, "error_in_bounds").toPrecision(2); seen.set(key, (seen.get(key) || 0) + 1); return seen.get(key) <= 6; })
                .map((row, b) => ({ x: Math.max(number(row, "error_in_bounds"), least), y: at + 0.5 * ((b * 0.618034) % 1) - 0.25, label: name + ", " + text(row, "problem") + ": " + formats.tiny(number(row, "error_in_bounds")) })) }));
        sets.push({ type: "line", data: [{ x: 1, y: -1 }, { x: 1, y: names.length }], borderColor: css("--bad"), borderWidth: 1.6, borderDash: [6, 4], pointRadius: 0 });
        return { height: 90 + 28 * names.length, type: "scatter", data: { datasets: sets }, options: { scales: { x: logarithmic("worst error / bound of a case (dashed: the bound)", { min: least, ticks: { ...decades, callback: (v) => (Number.isInteger(Math.round(Math.log10(v) * 1e6) / 1e6) ? (v <= least ? "≤ " : "") + v : "") } }),
            y: axis("", { reverse: true, min: -0.6, max: names.length - 0.4, grid: { display: false }, afterBuildTicks: (scale) => { scale.ticks = names.map((_, value) => ({ value })); }, ticks: { color: css("--text"), autoSkip: false, callback: (v) => cut(names[v] || "") } }) },
            plugins: { legend: { display: false }, tooltip: pointLabel } } };
    }

    function machinesChart(shown) {
        const key = (group) => [group.network, group.pass, group.batch ? "b" + group.batch : "", threadsText(group.threads), group.cache].filter(Boolean).join(" ");
        const shared = [...new Set(shown.map(key))].filter((name) => new Set(shown.filter((group) => key(group) === name).map((group) => group.machine)).size > 1);
        if (!shared.length) return null;
        return { height: 90 + 30 * shared.length * machines.length, type: "bar", data: { labels: shared, datasets: machines.map((machine, at) => ({ label: machine, backgroundColor: colour(at), maxBarThickness: 18,
            data: shared.map((name) => { const group = shown.find((g) => key(g) === name && g.machine === machine); return group && group.timed ? group.best_ns / 1e6 : null; }) })) },
        options: { indexAxis: "y", scales: { x: axis("ms, the best of each layer"), y: axis("", { ticks: { color: css("--text"), autoSkip: false } }) }, plugins: { legend, tooltip: { callbacks: { label: (c) => c.dataset.label + ": " + short(c.raw) + " ms" } } } } };
    }

    function trainingCharts(sheet) {
        const at = (name) => sheet.columns.indexOf(name);
        if (["network", "backend", "step", "loss"].some((name) => at(name) < 0)) return [];
        return [...new Set(sheet.rows.map((row) => row[at("network")]))].map((network) => {
            const mine = sheet.rows.filter((row) => row[at("network")] === network && row[at("loss")] !== "");
            const names = [...new Set(mine.map((row) => row[at("backend")]))];
            return { title: network || "loss", type: "scatter", data: { datasets: names.map((name, n) => ({ label: name, showLine: true, borderColor: colour(n), backgroundColor: colour(n), borderWidth: 1.8, borderDash: n ? [2 + 3 * n, 3] : [], pointStyle: shape(n), pointRadius: 3,
                data: mine.filter((row) => row[at("backend")] === name).map((row) => ({ x: Number(row[at("step")]), y: Number(row[at("loss")]), label: name + ", step " + row[at("step")] + ": " + row[at("loss")] })) })) },
            options: { scales: { x: axis("step"), y: axis("loss") }, plugins: { legend: { ...legend, position: "bottom" }, tooltip: pointLabel } } };
        });
    }

    const drawers = { totals: totalsChart, roofline: roofChart, distribution: distributionChart, where: whereCharts, accuracy: accuracyChart, machines: machinesChart, training: trainingCharts };

    function draw(box) {
        legend.labels.color = css("--text");
        const made = drawers[box.dataset.chart](box.subject);
        for (const configuration of [made].flat().filter(Boolean)) {
            const canvas = make("canvas", { role: "img", "aria-label": (configuration.title || box.closest("section").querySelector("h2").textContent) + ": chart; the table below has its numbers" });
            const frame = make("div", { class: "chart" }, canvas);
            if (configuration.height) frame.style.height = configuration.height + "px";
            if (configuration.title) box.append(make("div", null, make("h3", null, configuration.title), frame));
            else box.append(frame);
            live.add(new Chart(canvas, configuration));
        }
        if (Array.isArray(made)) box.className = "facets";
        if (box.dataset.chart === "where")
            box.before(make("div", { class: "legend" }, ...Object.entries(familyStyle).map(([family, [at]]) => make("span", null, make("i", { style: "background:" + colour(at) }), family))));
    }

    /* Draws what is new, and forgets what is gone. Boxes far below the screen wait until they come near. */
    const watcher = new IntersectionObserver((entries) => {
        for (const entry of entries) {
            if (!entry.isIntersecting) continue;
            watcher.unobserve(entry.target);
            entry.target.drawn = true;
            draw(entry.target);
        }
    }, { rootMargin: "600px" });
    window.drawCharts = function (at_once) {
        for (const chart of live) {
            if (document.contains(chart.canvas)) continue;
            chart.destroy();
            live.delete(chart);
        }
        for (const box of document.querySelectorAll("[data-chart]")) {
            if (box.drawn || box.closest("section").hidden) continue;
            if (at_once) {
                watcher.unobserve(box);
                box.drawn = true;
                draw(box);
            } else watcher.observe(box);
        }
    };
    window.addEventListener("beforeprint", () => window.drawCharts(true));
})();
