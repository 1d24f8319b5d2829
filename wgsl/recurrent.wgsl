// A recurrent layer over all its steps: simple, LSTM (Hochreiter and Schmidhuber, 1997) and GRU (Cho et al., 2014).
//
//   forward   binding 1  x         (batch, steps, columns)        read   the projected input
//             binding 2  kernel    (units, columns)               read   the recurrent kernel
//             binding 3  extra     bias?, recurrent mask?, mask?  read   one after another: see `has`
//             binding 4  sequence  (batch, steps, units)          `=`    h of each step, in the order of the steps
//             binding 5  stateH    (batch, units)                 h so far, updated
//             binding 6  stateC    (batch, units)                 c so far, updated (LSTM; else unused)
//             binding 7  saved     (batch, steps, parts units)    `=`    what the gradient needs: see `keep`
//             binding 8  previous  (batch, steps, units)          what meets the recurrent kernel, updated
//   begin     binding 1  h0        (batch, units)                 read   unless `has` says that there is none
//             binding 2  c0        (batch, units)                 read   as h0, for an LSTM
//             binding 3  extra     (batch, units)                 read   the recurrent mask, if any
//             binding 4  stateH, binding 5  stateC, binding 6  previous  `=`, its first step only
//   pack      binding 1 to 3  bias, recurrent mask, mask          read
//             binding 4  packed    all that are there             `=`
//
// With u = h(t - 1) m kernel, m the recurrent mask (1 without one), f the activation and s the recurrent one:
//
//   simple  h = f(x + u)
//   LSTM    i, f, o = s(x + u), g = f(x + u); c = f c(t - 1) + i g; h = o f(c)
//   GRU     z, r = s(x + b + u + b'), n = f(x + b + r (u + b')); h = z h(t - 1) + (1 - z) n, with b and b' in `bias`
//   GRU, reset before the product:  n = f(x + (r h(t - 1) m) kernel), in a phase of its own
//
// A masked step keeps the state, and h is its output. Columns are gates: i f g o, or z r n. `x`, `saved`, `previous` and the
// mask are in the order of the input, which a reversed layer walks from its end.
//
// A workgroup owns ROWS rows of the batch. In a sequence it walks through the steps by itself, over all units; else it owns one
// block of units, and a dispatch is one step (of one phase). An invocation owns one unit with all its gates, or, where the
// product has a single column to a unit, four units LANES apart. Rows and units beyond the edge are clamped, and not written.

override CELL: u32 = 0u; // 0 simple, 1 LSTM, 2 GRU, 3 GRU with the reset before the product
override ACTIVATION: u32 = 0u; // 0 tanh, 1 relu, 2 sigmoid, 3 linear, 4 hardSigmoid
override RECURRENT_ACTIVATION: u32 = 2u;
override SEQUENCE: bool = true;
override LANES: u32 = 8u;
override ROWS: u32 = 4u; // 1 or 4

struct Params {
  batch: u32,
  steps: u32,
  units: u32,
  columns: u32,
  begin: u32, // steps of this dispatch
  end: u32,
  firstPhase: u32,
  lastPhase: u32,
  groups: u32, // workgroups that have work
  blocks: u32, // workgroups to a tile of rows
  reversed: u32,
  has: u32, // 1 bias, 2 recurrent mask, 4 mask, 8 initial state
  biasAt: u32, // where they lie in `extra`
  recurrentMaskAt: u32,
  maskAt: u32,
  count: u32, // elements that begin or pack writes
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> kernel: array<f32>;
@group(0) @binding(3) var<storage, read> extra: array<u32>;
@group(0) @binding(4) var<storage, read_write> sequence: array<f32>;
@group(0) @binding(5) var<storage, read_write> stateH: array<f32>;
@group(0) @binding(6) var<storage, read_write> stateC: array<f32>;
@group(0) @binding(7) var<storage, read_write> saved: array<f32>;
@group(0) @binding(8) var<storage, read_write> previous: array<f32>;

@group(0) @binding(1) var<storage, read> h0: array<f32>;
@group(0) @binding(2) var<storage, read> c0: array<f32>;
@group(0) @binding(4) var<storage, read_write> firstH: array<f32>;
@group(0) @binding(5) var<storage, read_write> firstC: array<f32>;
@group(0) @binding(6) var<storage, read_write> firstPrevious: array<f32>;

@group(0) @binding(1) var<storage, read> packBias: array<u32>;
@group(0) @binding(2) var<storage, read> packRecurrentMask: array<u32>;
@group(0) @binding(3) var<storage, read> packMask: array<u32>;
@group(0) @binding(4) var<storage, read_write> packed: array<u32>;

fn isNan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

// |v| with the sign of s.
fn copySign(v: f32, s: f32) -> f32 {
  return bitcast<f32>((bitcast<u32>(v) & 0x7fffffffu) | (bitcast<u32>(s) & 0x80000000u));
}

// 2^e for -126 <= e <= 127.
fn exp2Int(e: i32) -> f32 {
  return bitcast<f32>(u32(e + 127) << 23u);
}

// exp(r) - 1 for |r| <= ln 2 / 2.
fn expm1Small(r: f32) -> f32 {
  var p = fma(1.9875691500e-4, r, 1.3981999507e-3);
  p = fma(p, r, 8.3334519073e-3);
  p = fma(p, r, 4.1665795894e-2);
  p = fma(p, r, 1.6666665459e-1);
  p = fma(p, r, 5.0000001201e-1);
  return fma(p, r * r, r);
}

// v - k ln 2 in two steps, of which the first is exact. The max changes nothing: it keeps drivers (Mesa) from merging
// the two products into one by k * (a + b), which costs 5 bits.
fn reduceLn2(v: f32, k: f32) -> f32 {
  return fma(k, 2.12194440e-4, max(fma(k, -0.693359375, v), -1.0e9));
}

// exp(v) * 2^shift: v = k ln 2 + r, and 2^(k + shift) in two factors, so that only the result over- or underflows.
fn expScaled(v: f32, shift: i32) -> f32 {
  let x = clamp(v, -104.0, 90.0);
  let k = round(x * 1.44269504);
  let r = reduceLn2(x, k);
  let e = i32(k) + shift;
  let half = e >> 1u;
  let scaled = (1.0 + expm1Small(r)) * exp2Int(half) * exp2Int(e - half);
  return select(scaled, v, isNan(v));
}

fn expF32(v: f32) -> f32 {
  return expScaled(v, 0);
}

fn expm1F32(v: f32) -> f32 {
  if (isNan(v)) { return v; }
  if (abs(v) > 20.0) { return expF32(v) - 1.0; }
  let k = round(v * 1.44269504);
  let scale = exp2Int(i32(k));
  return fma(scale, expm1Small(reduceLn2(v, k)), scale - 1.0);
}

fn tanhF32(v: f32) -> f32 {
  if (isNan(v)) { return v; }
  let e = expm1F32(2.0 * min(abs(v), 10.0));
  return copySign(e / (e + 2.0), v);
}

fn sigmoidF32(v: f32) -> f32 {
  if (isNan(v)) { return v; }
  let e = expF32(-abs(v));
  return select(1.0, e, v < 0.0) / (1.0 + e);
}

// Where step t stands in the input.
fn inputStep(t: u32) -> u32 {
  return select(t, params.steps - 1u - t, params.reversed == 1u);
}

// Whether the mask leaves step `at` of the input out.
fn isMasked(row: u32, at: u32) -> bool {
  if ((params.has & 4u) == 0u) { return false; }
  return extra[params.maskAt + row * params.steps + at] == 0u;
}

fn recurrentMask(at: u32) -> f32 {
  if ((params.has & 2u) == 0u) { return 1.0; }
  return bitcast<f32>(extra[params.recurrentMaskAt + at]);
}

fn activationOf(kind: u32, v: f32) -> f32 {
  switch (kind) {
    case 0u: { return tanhF32(v); }
    case 1u: { return select(v, 0.0, v < 0.0); }
    case 2u: { return sigmoidF32(v); }
    case 4u: { return select(clamp((v + 3.0) / 6.0, 0.0, 1.0), v, isNan(v)); }
    default: { return v; }
  }
}

// The biases of a column: of the input, and of the product.
fn biasOf(column: u32) -> vec2f {
  if ((params.has & 1u) == 0u) { return vec2f(); }
  let at = params.biasAt + column;
  return bitcast<vec2f>(vec2u(extra[at], extra[at + params.columns]));
}

// Writes a part of what the gradient needs: h of a simple layer; i f g o c(t - 1); z r n, n's product, h(t - 1).
fn keep(step: u32, unit: u32, part: u32, value: f32) {
  let parts = select(5u, 1u, CELL == 0u);
  saved[(step * parts + part) * params.units + unit] = value;
}

// Ends step t of a unit: the new h, and what the next step multiplies.
fn endStep(t: u32, row: u32, unit: u32, h: f32) {
  let at = row * params.units + unit;
  stateH[at] = h;
  sequence[(row * params.steps + t) * params.units + unit] = h;
  if (t + 1u < params.steps) {
    previous[(row * params.steps + inputStep(t + 1u)) * params.units + unit] = h * recurrentMask(at);
  }
}

fn skip(t: u32, row: u32, unit: u32) {
  let step = row * params.steps + inputStep(t);
  for (var part = 0u; part < select(5u, 1u, CELL == 0u); part++) { keep(step, unit, part, 0.0); }
  endStep(t, row, unit, stateH[row * params.units + unit]);
}

fn simpleCell(t: u32, row: u32, unit: u32, product: f32) {
  let step = row * params.steps + inputStep(t);
  let h = activationOf(ACTIVATION, x[step * params.units + unit] + product);
  keep(step, unit, 0u, h);
  endStep(t, row, unit, h);
}

fn lstmCell(t: u32, row: u32, unit: u32, product: vec4f) {
  let units = params.units;
  let at = row * units + unit;
  let step = row * params.steps + inputStep(t);
  let own = step * params.columns + unit;
  let i = activationOf(RECURRENT_ACTIVATION, x[own] + product.x);
  let f = activationOf(RECURRENT_ACTIVATION, x[own + units] + product.y);
  let g = activationOf(ACTIVATION, x[own + 2u * units] + product.z);
  let o = activationOf(RECURRENT_ACTIVATION, x[own + 3u * units] + product.w);
  let before = stateC[at];
  let c = fma(f, before, i * g);
  keep(step, unit, 0u, i);
  keep(step, unit, 1u, f);
  keep(step, unit, 2u, g);
  keep(step, unit, 3u, o);
  keep(step, unit, 4u, before);
  stateC[at] = c;
  endStep(t, row, unit, o * activationOf(ACTIVATION, c));
}

// The update of a GRU, by the gate z.
fn blend(t: u32, row: u32, unit: u32, z: f32, n: f32) {
  let step = row * params.steps + inputStep(t);
  let before = stateH[row * params.units + unit];
  keep(step, unit, 2u, n);
  keep(step, unit, 4u, before);
  endStep(t, row, unit, fma(z, before, (1.0 - z) * n));
}

fn gruCell(t: u32, row: u32, unit: u32, product: vec4f) {
  let units = params.units;
  let step = row * params.steps + inputStep(t);
  let own = step * params.columns + unit;
  let biasZ = biasOf(unit);
  let biasR = biasOf(units + unit);
  let biasN = biasOf(2u * units + unit);
  let z = activationOf(RECURRENT_ACTIVATION, (x[own] + biasZ.x) + (product.x + biasZ.y));
  let r = activationOf(RECURRENT_ACTIVATION, (x[own + units] + biasR.x) + (product.y + biasR.y));
  let inner = product.z + biasN.y;
  keep(step, unit, 0u, z);
  keep(step, unit, 1u, r);
  keep(step, unit, 3u, inner);
  blend(t, row, unit, z, activationOf(ACTIVATION, fma(r, inner, x[own + 2u * units] + biasN.x)));
}

// The gates of a GRU that resets before the product; r h(t - 1) m waits in `saved` for the second phase.
fn resetGates(t: u32, row: u32, unit: u32, product: vec4f) {
  let units = params.units;
  let step = row * params.steps + inputStep(t);
  let own = step * params.columns + unit;
  let r = activationOf(RECURRENT_ACTIVATION, x[own + units] + product.y);
  keep(step, unit, 0u, activationOf(RECURRENT_ACTIVATION, x[own] + product.x));
  keep(step, unit, 1u, r);
  keep(step, unit, 3u, r * previous[step * units + unit]);
}

fn resetCandidate(t: u32, row: u32, unit: u32, product: f32) {
  let step = row * params.steps + inputStep(t);
  let n = activationOf(ACTIVATION, x[step * params.columns + 2u * params.units + unit] + product);
  blend(t, row, unit, saved[step * 5u * params.units + unit], n);
}

// A unit with all its gates.
fn gatedCell(t: u32, row: u32, unit: u32, product: vec4f) {
  if (isMasked(row, inputStep(t))) {
    skip(t, row, unit);
    return;
  }
  switch (CELL) {
    case 1u: { lstmCell(t, row, unit, product); }
    case 2u: { gruCell(t, row, unit, product); }
    default: { resetGates(t, row, unit, product); }
  }
}

// A unit with one column.
fn plainCell(t: u32, row: u32, unit: u32, product: f32) {
  if (isMasked(row, inputStep(t))) {
    if (CELL == 0u) { skip(t, row, unit); } // Of two phases, the first has skipped.
    return;
  }
  if (CELL == 0u) { simpleCell(t, row, unit, product); } else { resetCandidate(t, row, unit, product); }
}

// One number of the left matrix: h(t - 1) m, or r h(t - 1) m.
fn leftOf(phase: u32, at: u32) -> f32 {
  if (CELL == 3u && phase == 1u) { return saved[at]; }
  return previous[at];
}

alias Sums = array<vec4f, 4>;

// The rows from `row` on of the left matrix, at step t, times four columns of the recurrent kernel.
fn product4(row: u32, lane: u32, t: u32, phase: u32, columns: vec4u) -> Sums {
  let units = params.units;
  let parts = select(1u, 5u, CELL == 3u && phase == 1u);
  let offset = inputStep(t) * parts * units + select(0u, 3u * units, parts == 5u);
  let stride = params.steps * parts * units;
  let last = params.batch - 1u;
  var at = vec4u(offset) + min(vec4u(row) + vec4u(0u, 1u, 2u, 3u), vec4u(last)) * stride;
  var right = columns;
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  if (ROWS == 1u) {
    for (var k = 0u; k < units; k++) {
      let b = vec4f(kernel[right.x], kernel[right.y], kernel[right.z], kernel[right.w]);
      sum0 = fma(vec4f(leftOf(phase, at.x)), b, sum0);
      at.x += 1u;
      right += params.columns;
    }
    return Sums(sum0, sum1, sum2, sum3);
  }
  for (var k = 0u; k < units; k++) {
    let b = vec4f(kernel[right.x], kernel[right.y], kernel[right.z], kernel[right.w]);
    sum0 = fma(vec4f(leftOf(phase, at.x)), b, sum0);
    sum1 = fma(vec4f(leftOf(phase, at.y)), b, sum1);
    sum2 = fma(vec4f(leftOf(phase, at.z)), b, sum2);
    sum3 = fma(vec4f(leftOf(phase, at.w)), b, sum3);
    at += 1u;
    right += params.columns;
  }
  return Sums(sum0, sum1, sum2, sum3);
}

@compute @workgroup_size(LANES)
fn forward(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = id.x + id.y * count.x;
  if (group >= params.groups) { return; }
  let units = params.units;
  let row = group / params.blocks * ROWS;
  let block = group % params.blocks;
  for (var t = params.begin; t < params.end; t++) {
    for (var phase = params.firstPhase; phase <= params.lastPhase; phase++) {
      let plain = CELL == 0u || (CELL == 3u && phase == 1u);
      let width = select(LANES, 4u * LANES, plain);
      let start = select(block * width, 0u, SEQUENCE);
      let stop = select(min(start + width, units), units, SEQUENCE);
      for (var first = start; first < stop; first += width) {
        let unit = first + lane;
        let apart = select(vec4u(), vec4u(0u, LANES, 2u * LANES, 3u * LANES), plain);
        let gates = select(vec4u(0u, units, 2u * units, params.columns - units), vec4u(), CELL == 0u);
        let own = min(vec4u(unit) + apart, vec4u(units - 1u)) + select(gates, vec4u(gates.w), plain);
        var sums = product4(row, lane, t, phase, own);
        for (var i = 0u; i < ROWS; i++) {
          let r = row + i;
          if (r >= params.batch) { continue; }
          if (!plain) {
            if (unit < units) { gatedCell(t, r, unit, sums[i]); }
            continue;
          }
          for (var j = 0u; j < 4u; j++) {
            if (unit + j * LANES < units) { plainCell(t, r, unit + j * LANES, sums[i][j]); }
          }
        }
      }
      if (SEQUENCE) { storageBarrier(); }
    }
  }
}

// The state before the first step.
@compute @workgroup_size(64)
fn begin(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (id.x + id.y * count.x) * 64u + lane;
  if (i >= params.count) { return; }
  var h = 0.0;
  if ((params.has & 8u) != 0u) { h = h0[i]; }
  firstH[i] = h;
  if (CELL == 1u) {
    var c = 0.0;
    if ((params.has & 8u) != 0u) { c = c0[i]; }
    firstC[i] = c;
  }
  let row = i / params.units;
  let unit = i - row * params.units;
  firstPrevious[(row * params.steps + inputStep(0u)) * params.units + unit] = h * recurrentMask(i);
}

// The options in one buffer, for a shader has room for one only. What is absent lies behind what is there.
@compute @workgroup_size(64)
fn pack(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (id.x + id.y * count.x) * 64u + lane;
  if (i >= params.count) { return; }
  if ((params.has & 4u) != 0u && i >= params.maskAt) {
    packed[i] = packMask[i - params.maskAt];
  } else if ((params.has & 2u) != 0u && i >= params.recurrentMaskAt) {
    packed[i] = packRecurrentMask[i - params.recurrentMaskAt];
  } else {
    packed[i] = packBias[i];
  }
}
