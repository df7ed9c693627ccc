// Runs models in ONNX Runtime and compares with what the engine answered, as TAP.
//
//     node compare.js RUNTIME FOLDER NAME...       RUNTIME: the folder of the npm package onnxruntime-node
//
// FOLDER/NAME.onnx and FOLDER/NAME.js are what models.c wrote.
const path = require('path');
const [runtime, folder, ...names] = process.argv.slice(2);
const ort = require(path.resolve(runtime));

// The largest |a - b| / (1 + |b|); NaN agrees with NaN alone.
function difference(got, wanted) {
    if (got.length !== wanted.length) return Infinity;
    let worst = 0;
    for (let i = 0; i < wanted.length; i++) {
        if (Number.isNaN(got[i]) && Number.isNaN(wanted[i])) continue;
        const d = Math.abs(got[i] - wanted[i]) / (1 + Math.abs(wanted[i]));
        worst = Number.isNaN(d) ? Infinity : Math.max(worst, d);
    }
    return worst;
}

async function compare(name) {
    const sample = require(path.resolve(folder, `${name}.js`));
    const session = await ort.InferenceSession.create(path.resolve(folder, `${name}.onnx`), { logSeverityLevel: 3 });
    if (session.inputNames.length !== sample.inputs.length) throw new Error('another number of inputs');
    const feeds = {};
    session.inputNames.forEach((input, i) => {
        const { type, dims, data } = sample.inputs[i];
        feeds[input] = new ort.Tensor(type, type === 'string' ? data : Float32Array.from(data), dims);
    });
    const output = (await session.run(feeds))[session.outputNames[0]];
    return difference(output.data, sample.output);
}

(async () => {
    let point = 0;
    for (const name of names) {
        let text;
        let good = false;
        try {
            const worst = await compare(name);
            good = worst <= 1e-5;
            text = `${name}: the largest difference is ${worst.toExponential(1)}`;
        } catch (e) {
            text = `${name}: ${String(e.message).split('\n')[0]}`;
        }
        console.log(`${good ? 'ok' : 'not ok'} ${++point} - ${text}`);
    }
    console.log(`1..${point}`);
})();
