// Written by scripts/recurrent-siblings.ts; change it there.
enable subgroups;

// The gradient of a recurrent layer, from the last step to the first: backpropagation through time (Werbos, 1990).
//
//   backward  binding 1  g         (batch, steps, units)        read   the gradient of the sequence, if any
//             binding 2  saved     (batch, steps, parts units)  read   what the layer kept
//             binding 3  extra     recurrent mask?, mask?       read   one after another: see `has`
//             binding 4  kernel    (columns, units)             read   the recurrent kernel, transposed
//             binding 5  gates     (batch, steps, columns)      `=`    the gradient of the projected input
//             binding 6  stateH    (batch, units)               what reaches h beside the product, updated
//             binding 7  other     LSTM: (batch, units), what reaches c, updated; GRU: (batch, steps, columns), the
//                                  gradient of the product, `=`; else unused
//             binding 8  total     (batch, steps, units)        `=`    the whole gradient of each h, if `has` asks for it
//
// Turn n looks at step t = steps - 1 - n. With p the gradient of the product of step t + 1, the gradient of h(t) is
// g(t) + m (p kernel^T) + what stateH holds; the cell turns it into the gradients of its gates. After the last step comes a
// turn that leaves the gradient of the initial h in stateH. A GRU that resets before the product has two phases: p holds z
// and r first, then n of the same step.
//
// Workgroups own rows and units as in recurrent.wgsl. An invocation owns four units LANES apart.
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
  begin: u32, // turns of this dispatch
  end: u32,
  firstPhase: u32,
  lastPhase: u32,
  groups: u32, // workgroups that have work
  blocks: u32, // workgroups to a tile of rows
  reversed: u32,
  has: u32, // 2 recurrent mask, 4 mask, 8 g, 16 gH, 32 gC, 64 total
  recurrentMaskAt: u32, // where they lie in `extra`
  maskAt: u32,
  states: u32, // elements of stateH
  count: u32, // elements that begin or pack writes
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> saved: array<f32>;
@group(0) @binding(3) var<storage, read> extra: array<u32>;
@group(0) @binding(4) var<storage, read> kernel: array<f32>;
@group(0) @binding(5) var<storage, read_write> gates: array<f32>;
@group(0) @binding(6) var<storage, read_write> stateH: array<f32>;
@group(0) @binding(7) var<storage, read_write> other: array<f32>;
@group(0) @binding(8) var<storage, read_write> total: array<f32>;

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

// d times the derivative of an activation whose output is y.
fn slope(kind: u32, d: f32, y: f32) -> f32 {
  switch (kind) {
    case 0u: { return d * ((1.0 - y) * (1.0 + y)); }
    case 1u: { return select(select(0.0, d, y > 0.0), y, isNan(y)); }
    case 2u: { return d * (y * (1.0 - y)); }
    case 4u: { return select(select(0.0, d / 6.0, y > 0.0 && y < 1.0), y, isNan(y)); }
    default: { return d; }
  }
}

// A part of what the layer kept: h of a simple layer; i f g o c(t - 1); z r n, n's product, h(t - 1).
fn kept(step: u32, unit: u32, part: u32) -> f32 {
  return saved[(step * 5u + part) * params.units + unit];
}

fn skipTurn(step: u32, unit: u32) {
  for (var column = unit; column < params.columns; column += params.units) {
    gates[step * params.columns + column] = 0.0;
    if (CELL == 2u) { other[step * params.columns + column] = 0.0; }
  }
}

// The cells get d, the gradient of h, and return what of it reaches h(t - 1) without a product.

fn lstmTurn(step: u32, at: u32, unit: u32, d: f32) -> f32 {
  let units = params.units;
  let i = kept(step, unit, 0u);
  let f = kept(step, unit, 1u);
  let candidate = kept(step, unit, 2u);
  let o = kept(step, unit, 3u);
  let before = kept(step, unit, 4u);
  let y = activationOf(ACTIVATION, fma(f, before, i * candidate));
  let dc = other[at] + slope(ACTIVATION, d * o, y);
  let own = step * params.columns + unit;
  gates[own] = slope(RECURRENT_ACTIVATION, dc * candidate, i);
  gates[own + units] = slope(RECURRENT_ACTIVATION, dc * before, f);
  gates[own + 2u * units] = slope(ACTIVATION, dc * i, candidate);
  gates[own + 3u * units] = slope(RECURRENT_ACTIVATION, d * y, o);
  other[at] = dc * f;
  return 0.0;
}

fn gruTurn(step: u32, at: u32, unit: u32, d: f32) -> f32 {
  let units = params.units;
  let z = kept(step, unit, 0u);
  let n = kept(step, unit, 2u);
  let own = step * params.columns + unit;
  let dz = slope(RECURRENT_ACTIVATION, d * (kept(step, unit, 4u) - n), z);
  let dn = slope(ACTIVATION, d * (1.0 - z), n);
  gates[own] = dz;
  gates[own + 2u * units] = dn;
  if (CELL == 2u) {
    let r = kept(step, unit, 1u);
    let dr = slope(RECURRENT_ACTIVATION, dn * kept(step, unit, 3u), r);
    gates[own + units] = dr;
    other[own] = dz;
    other[own + units] = dr;
    other[own + 2u * units] = dn * r;
  }
  return d * z;
}

// The product that a turn begins with has arrived.
fn turn(n: u32, row: u32, unit: u32, product: f32) {
  let at = row * params.units + unit;
  var d = fma(product, recurrentMask(at), stateH[at]);
  if (n == params.steps) {
    stateH[at] = d;
    return;
  }
  let t = params.steps - 1u - n;
  let inSequence = (row * params.steps + t) * params.units + unit;
  if ((params.has & 8u) != 0u) { d += g[inSequence]; }
  if ((params.has & 64u) != 0u) { total[inSequence] = d; }
  let step = row * params.steps + inputStep(t);
  if (isMasked(row, inputStep(t))) {
    skipTurn(step, unit);
    stateH[at] = d;
    return;
  }
  switch (CELL) {
    case 0u: {
      gates[step * params.units + unit] = slope(ACTIVATION, d, saved[step * params.units + unit]);
      stateH[at] = 0.0;
    }
    case 1u: { stateH[at] = lstmTurn(step, at, unit, d); }
    default: { stateH[at] = gruTurn(step, at, unit, d); }
  }
}

// The gradient of r h(t - 1) m has arrived.
fn resetTurn(n: u32, row: u32, unit: u32, product: f32) {
  let at = row * params.units + unit;
  let t = inputStep(params.steps - 1u - n);
  if (isMasked(row, t)) { return; }
  let step = row * params.steps + t;
  let r = kept(step, unit, 1u);
  let d = product * recurrentMask(at);
  gates[step * params.columns + params.units + unit] = slope(RECURRENT_ACTIVATION, d * kept(step, unit, 4u), r);
  stateH[at] = fma(d, r, stateH[at]);
}

// One number of the left matrix: the gradient of a product.
fn productGradient(at: u32) -> f32 {
  if (CELL == 2u) { return other[at]; }
  return gates[at];
}

alias Sums = array<vec4f, 16>;

// The rows from `row` on of the left matrix, in a phase of turn n, times four columns of the transposed kernel. A first phase
// takes the step behind, which the first turn has not; a second phase takes n's part of its own step.
fn backProductQuads(row: u32, lane: u32, n: u32, phase: u32, columns: vec4u) -> Sums {
  let start = select(0u, 2u * params.units, phase == 1u);
  let stop = select(params.columns, 2u * params.units, CELL == 3u && phase == 0u);
  let terms = select(stop - start, 0u, n + phase == 0u);
  let offset = inputStep(params.steps - n - phase) * params.columns + start;
  let stride = params.steps * params.columns;
  let last = params.batch - 1u;
  var at0 = offset + min(row + lane + 0u, last) * stride;
  var at1 = offset + min(row + lane + 4u, last) * stride;
  var at2 = offset + min(row + lane + 8u, last) * stride;
  var at3 = offset + min(row + lane + 12u, last) * stride;
  var right = columns + start * params.units;
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
  for (; k + 3u < terms; k += 4u) {
    let right1 = right + params.units;
    let right2 = right1 + params.units;
    let right3 = right2 + params.units;
    let a0 = vec4f(productGradient(at0), productGradient(at0 + 1u), productGradient(at0 + 2u), productGradient(at0 + 3u));
    let a1 = vec4f(productGradient(at1), productGradient(at1 + 1u), productGradient(at1 + 2u), productGradient(at1 + 3u));
    let a2 = vec4f(productGradient(at2), productGradient(at2 + 1u), productGradient(at2 + 2u), productGradient(at2 + 3u));
    let a3 = vec4f(productGradient(at3), productGradient(at3 + 1u), productGradient(at3 + 2u), productGradient(at3 + 3u));
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
    right = right3 + params.units;
  }
  for (; k < terms; k++) {
    let a0 = productGradient(at0);
    let a1 = productGradient(at1);
    let a2 = productGradient(at2);
    let a3 = productGradient(at3);
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
    right += params.units;
  }
  return Sums(
    sum0, sum1, sum2, sum3,
    sum4, sum5, sum6, sum7,
    sum8, sum9, sum10, sum11,
    sum12, sum13, sum14, sum15,
  );
}

@compute @workgroup_size(LANES)
fn backward(
  @builtin(workgroup_id) id: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let group = id.x + id.y * count.x;
  if (group >= params.groups) { return; }
  let units = params.units;
  let row = group / params.blocks * ROWS;
  let block = group % params.blocks;
  let width = 4u * LANES;
  let start = select(block * width, 0u, SEQUENCE);
  let stop = select(min(start + width, units), units, SEQUENCE);
  for (var n = params.begin; n < params.end; n++) {
    let lastPhase = select(params.lastPhase, 0u, n == params.steps);
    for (var phase = params.firstPhase; phase <= lastPhase; phase++) {
      for (var first = start; first < stop; first += width) {
        let unit = first + lane;
        let own = min(vec4u(unit) + vec4u(0u, LANES, 2u * LANES, 3u * LANES), vec4u(units - 1u));
        var sums = backProductQuads(row, lane, n, phase, own);
        for (var i = 0u; i < ROWS; i++) {
          let r = row + (i & ~3u) + (lane ^ (i & 3u));
          if (r >= params.batch) { continue; }
          for (var j = 0u; j < 4u; j++) {
            if (unit + j * LANES >= units) { continue; }
            if (phase == 0u) {
              turn(n, r, unit + j * LANES, sums[i][j]);
            } else {
              resetTurn(n, r, unit + j * LANES, sums[i][j]);
            }
          }
        }
      }
      if (SEQUENCE) { storageBarrier(); }
    }
  }
}
