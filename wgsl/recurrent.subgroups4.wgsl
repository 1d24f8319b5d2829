// Written by scripts/recurrent-siblings.ts; change it there.
enable subgroups;

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
// An invocation shares a tile of 16 rows with its subgroup of 4: lane l loads the left matrix in the rows l + 4 g. The lanes
// trade by quadSwap, so sum i of lane l belongs to the row (i - x) + (l ^ x), x = i % 4: as in matmul.subgroups4.wgsl.

override CELL: u32 = 0u; // 0 simple, 1 LSTM, 2 GRU, 3 GRU with the reset before the product
override ACTIVATION: u32 = 0u; // 0 tanh, 1 relu, 2 sigmoid, 3 linear, 4 hardSigmoid
override RECURRENT_ACTIVATION: u32 = 2u;
override SEQUENCE: bool = true;
const LANES = 4u;
const ROWS = 16u;

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

alias Sums = array<vec4f, 16>;

// The rows from `row` on of the left matrix, at step t, times four columns of the recurrent kernel.
fn productQuads(row: u32, lane: u32, t: u32, phase: u32, columns: vec4u) -> Sums {
  let units = params.units;
  let parts = select(1u, 5u, CELL == 3u && phase == 1u);
  let offset = inputStep(t) * parts * units + select(0u, 3u * units, parts == 5u);
  let stride = params.steps * parts * units;
  let last = params.batch - 1u;
  var at0 = offset + min(row + lane + 0u, last) * stride;
  var at1 = offset + min(row + lane + 4u, last) * stride;
  var at2 = offset + min(row + lane + 8u, last) * stride;
  var at3 = offset + min(row + lane + 12u, last) * stride;
  var right = columns;
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  var sum4 = vec4f();
  var sum5 = vec4f();
  var sum6 = vec4f();
  var sum7 = vec4f();
  var sum8 = vec4f();
  var sum9 = vec4f();
  var sum10 = vec4f();
  var sum11 = vec4f();
  var sum12 = vec4f();
  var sum13 = vec4f();
  var sum14 = vec4f();
  var sum15 = vec4f();
  var k = 0u;
  for (; k + 3u < units; k += 4u) {
    let right1 = right + params.columns;
    let right2 = right1 + params.columns;
    let right3 = right2 + params.columns;
    let a0 = vec4f(leftOf(phase, at0), leftOf(phase, at0 + 1u), leftOf(phase, at0 + 2u), leftOf(phase, at0 + 3u));
    let a1 = vec4f(leftOf(phase, at1), leftOf(phase, at1 + 1u), leftOf(phase, at1 + 2u), leftOf(phase, at1 + 3u));
    let a2 = vec4f(leftOf(phase, at2), leftOf(phase, at2 + 1u), leftOf(phase, at2 + 2u), leftOf(phase, at2 + 3u));
    let a3 = vec4f(leftOf(phase, at3), leftOf(phase, at3 + 1u), leftOf(phase, at3 + 2u), leftOf(phase, at3 + 3u));
    let b = mat4x4f(
      kernel[right.x], kernel[right1.x], kernel[right2.x], kernel[right3.x],
      kernel[right.y], kernel[right1.y], kernel[right2.y], kernel[right3.y],
      kernel[right.z], kernel[right1.z], kernel[right2.z], kernel[right3.z],
      kernel[right.w], kernel[right1.w], kernel[right2.w], kernel[right3.w],
    );
    sum0 += a0 * b;
    sum1 += quadSwapX(a0) * b;
    sum2 += quadSwapY(a0) * b;
    sum3 += quadSwapDiagonal(a0) * b;
    sum4 += a1 * b;
    sum5 += quadSwapX(a1) * b;
    sum6 += quadSwapY(a1) * b;
    sum7 += quadSwapDiagonal(a1) * b;
    sum8 += a2 * b;
    sum9 += quadSwapX(a2) * b;
    sum10 += quadSwapY(a2) * b;
    sum11 += quadSwapDiagonal(a2) * b;
    sum12 += a3 * b;
    sum13 += quadSwapX(a3) * b;
    sum14 += quadSwapY(a3) * b;
    sum15 += quadSwapDiagonal(a3) * b;
    at0 += 4u;
    at1 += 4u;
    at2 += 4u;
    at3 += 4u;
    right = right3 + params.columns;
  }
  for (; k < units; k++) {
    let a0 = leftOf(phase, at0);
    let a1 = leftOf(phase, at1);
    let a2 = leftOf(phase, at2);
    let a3 = leftOf(phase, at3);
    let b = vec4f(kernel[right.x], kernel[right.y], kernel[right.z], kernel[right.w]);
    sum0 = fma(b, vec4f(a0), sum0);
    sum1 = fma(b, vec4f(quadSwapX(a0)), sum1);
    sum2 = fma(b, vec4f(quadSwapY(a0)), sum2);
    sum3 = fma(b, vec4f(quadSwapDiagonal(a0)), sum3);
    sum4 = fma(b, vec4f(a1), sum4);
    sum5 = fma(b, vec4f(quadSwapX(a1)), sum5);
    sum6 = fma(b, vec4f(quadSwapY(a1)), sum6);
    sum7 = fma(b, vec4f(quadSwapDiagonal(a1)), sum7);
    sum8 = fma(b, vec4f(a2), sum8);
    sum9 = fma(b, vec4f(quadSwapX(a2)), sum9);
    sum10 = fma(b, vec4f(quadSwapY(a2)), sum10);
    sum11 = fma(b, vec4f(quadSwapDiagonal(a2)), sum11);
    sum12 = fma(b, vec4f(a3), sum12);
    sum13 = fma(b, vec4f(quadSwapX(a3)), sum13);
    sum14 = fma(b, vec4f(quadSwapY(a3)), sum14);
    sum15 = fma(b, vec4f(quadSwapDiagonal(a3)), sum15);
    at0 += 1u;
    at1 += 1u;
    at2 += 1u;
    at3 += 1u;
    right += params.columns;
  }
  return Sums(
    sum0, sum1, sum2, sum3,
    sum4, sum5, sum6, sum7,
    sum8, sum9, sum10, sum11,
    sum12, sum13, sum14, sum15,
  );
}

@compute @workgroup_size(LANES)
fn forward(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
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
        var sums = productQuads(row, lane, t, phase, own);
        for (var i = 0u; i < ROWS; i++) {
          let r = row + (i & ~3u) + (lane ^ (i & 3u));
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
