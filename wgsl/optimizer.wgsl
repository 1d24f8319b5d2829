// One step of an optimizer over flat parameters, in place:
//
//   g = clipped(gradientScale · gradient),  w −= w · weightDecay · rate (where the segment decays),  then by OP
//
//    0 sgd          w −= rate g
//    1 momentum     a = momentum a − rate g;  w += a
//    2 nesterov     a = momentum a − rate g;  w += momentum a − rate g
//    3 rmsprop      a = keep1 a + fresh1 g²;  w −= rate g / √(a + ε)
//    4 … with momentum       b = momentum b + rate g / √(a + ε);  w −= b
//    5 … centered            b = keep1 b + fresh1 g;  w −= rate g / √(a − b² + ε)
//    6 … both                c is the momentum
//    7 adagrad      a += g²;  w −= rate g / √(a + ε)
//    8 adadelta     a = keep1 a + fresh1 g²;  d = g √(b + ε) / √(a + ε);  b = keep1 b + fresh1 d²;  w −= rate d
//    9 adam         a += fresh1 (g − a);  b += fresh2 (g² − b);  w −= rate correction1 a / (√b + ε)
//   10 amsgrad      the same with c = max(c, b) in place of b
//   11 adamax       a += fresh1 (g − a);  b = max(keep2 b, |g|);  w −= rate correction1 a / (b + ε)
//   12 nadam        a, b as adam;  w −= rate (correction1 a + direct g) / (√(correction2 b) + ε)
//   13 lion         w −= rate sign(keep1 a + fresh1 g);  a = keep2 a + fresh2 g
//   14 ftrl         see ftrl()
//
//   values    (N,)    `=`, as are the slots a, b, c; an invocation owns four neighbours of each
//   gradients (N,)
//   blocks    (N/64,) the segment that 64 neighbours belong to
//   segments  (S, 3)  rate factor, decay factor, and 1 where the segment is updated, 0 where it stays as it is
//   norms     CLIP 2: (S,) each segment's sum of squares; CLIP 3: (params.norms,) shares of the sum of all
//
// Entry points differ in the number of slots. CLIP: 0 none, 1 by value, 2 by the segment's norm, 3 by the global norm; a
// norm that is not finite makes NaN.

struct Params {
  // N / 4
  quads: u32,
  norms: u32,
  rate: f32,
  weightDecay: f32,
  gradientScale: f32,
  clip: f32,
  momentum: f32,
  keep1: f32,
  fresh1: f32,
  keep2: f32,
  fresh2: f32,
  epsilon: f32,
  correction1: f32,
  correction2: f32,
  direct: f32,
  l1: f32,
  l2: f32,
  shrinkage: f32,
  power: f32,
  beta: f32,
}

override OP: u32 = 0;
override CLIP: u32 = 0;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> values: array<vec4f>;
@group(0) @binding(2) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(3) var<storage, read> blocks: array<u32>;
@group(0) @binding(4) var<storage, read> segments: array<f32>;
@group(0) @binding(5) var<storage, read> norms: array<f32>;
@group(0) @binding(6) var<storage, read_write> slotA: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> slotB: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> slotC: array<vec4f>;

fn isNan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn isFinite(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) < 0x7f800000u;
}

fn infF32() -> f32 {
  var bits = 0x7f800000u;
  return bitcast<f32>(bits);
}

fn nanF32() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
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

// v with the low 12 bits of its mantissa cleared: products of two such numbers are exact.
fn highPart(v: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(v) & 0xfffff000u);
}

// x^y for finite x > 0 and finite y, after fdlibm's e_powf.c: log2(x) as a sum of two floats, times y, then exp2.
fn powPositive(x: f32, exponent: f32) -> f32 {
  // Beyond 2^40 the result is 0, 1 or infinity for every x.
  let y = clamp(exponent, -1.0995116e12, 1.0995116e12);
  let tiny = x < 1.17549435e-38;
  let bits = bitcast<u32>(select(x, x * 8388608.0, tiny));
  var n = i32(bits >> 23u) - 127 - select(0, 23, tiny);
  let mantissa = bits & 0x007fffffu;
  var ix = mantissa | 0x3f800000u;
  // x = 2^n m with m near 1 or near 3/2.
  let k = mantissa > 0x1cc471u && mantissa < 0x5db3d7u;
  if (mantissa >= 0x5db3d7u) {
    n += 1;
    ix -= 0x00800000u;
  }
  let m = bitcast<f32>(ix);
  let bp = select(1.0, 1.5, k);
  // s = (m - bp) / (m + bp) = sHigh + sLow.
  let u = m - bp;
  let v = 1.0 / (m + bp);
  let s = u * v;
  let sHigh = highPart(s);
  let dHigh = bitcast<f32>((((ix >> 1u) & 0xfffff000u) | 0x20000000u) + 0x00400000u + select(0u, 1u << 21u, k));
  let dLow = m - (dHigh - bp);
  let sLow = v * ((u - sHigh * dHigh) - sHigh * dLow);
  // log(m / bp) = 2 s + 2/3 s^3 + …, as (2/3) s (3 + s^2 + r).
  let s2 = s * s;
  var r = fma(2.0697501302e-01, s2, 2.3066075146e-01);
  r = fma(r, s2, 2.7272811532e-01);
  r = fma(r, s2, 3.3333334327e-01);
  r = fma(r, s2, 4.2857143283e-01);
  r = fma(r, s2, 6.0000002384e-01);
  r = fma(s2 * s2, r, sLow * (sHigh + s));
  let square = sHigh * sHigh;
  let tHigh = highPart(3.0 + square + r);
  let tLow = r - ((tHigh - 3.0) - square);
  let a = sHigh * tHigh;
  let b = sLow * tHigh + tLow * s;
  let pHigh = highPart(a + b);
  let pLow = b - (pHigh - a);
  // times 2 / (3 ln 2) = 0.9619140625 - 1.17368574e-4, plus log2(bp) and n.
  let zHigh = 9.6191406250e-01 * pHigh;
  let zLow = fma(-1.1736857402e-04, pHigh, fma(pLow, 9.6179670095e-01, select(0.0, 1.56322085e-06, k)));
  let logBp = select(0.0, 5.84960938e-01, k);
  let e = f32(n);
  let logHigh = highPart(((zHigh + zLow) + logBp) + e);
  let logLow = zLow - (((logHigh - e) - logBp) - zHigh);
  // y log2(x) = whole + productHigh + productLow.
  let yHigh = highPart(y);
  let productLow = (y - yHigh) * logHigh + y * logLow;
  let productHigh = yHigh * logHigh;
  let total = productHigh + productLow;
  if (total >= 129.0) { return infF32(); }
  if (total <= -151.0) { return 0.0; }
  let whole = round(total);
  let rest = (productHigh - whole) + productLow;
  let restLow = productLow - (rest - (productHigh - whole));
  let power = 1.0 + expm1Small(fma(rest, 0.693147181, restLow * 0.693147181));
  let shift = i32(whole);
  let half = shift >> 1u;
  return power * exp2Int(half) * exp2Int(shift - half);
}

// x^y with the corner cases of JavaScript's Math.pow.
fn powF32(x: f32, y: f32) -> f32 {
  if (isNan(y)) { return y; }
  if (y == 0.0) { return 1.0; }
  if (isNan(x)) { return x; }
  let a = abs(x);
  if (!isFinite(y)) {
    if (a == 1.0) { return nanF32(); }
    return select(0.0, infF32(), (a > 1.0) == (y > 0.0));
  }
  let whole = floor(y) == y;
  let odd = whole && abs(y) < 16777216.0 && floor(y * 0.5) != y * 0.5;
  let negative = (bitcast<u32>(x) >> 31u) == 1u;
  var power: f32;
  if (a < 1.17549435e-38) {
    power = select(infF32(), 0.0, y > 0.0);
  } else if (!isFinite(x)) {
    power = select(0.0, infF32(), y > 0.0);
  } else {
    if (negative && !whole) { return nanF32(); }
    power = powPositive(a, y);
  }
  return select(power, -power, negative && odd);
}

fn areNan(v: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

// Of each pair a NaN, else the larger.
fn largerOf(x: vec4f, y: vec4f) -> vec4f {
  return select(select(select(y, x, x > y), y, areNan(y)), x, areNan(x));
}

// Cut at ±bound; NaN stays.
fn cutAt(v: vec4f, bound: f32) -> vec4f {
  return select(clamp(v, vec4f(-bound), vec4f(bound)), v, areNan(v));
}

fn powers(v: vec4f, exponent: f32) -> vec4f {
  return vec4f(
    powF32(v.x, exponent),
    powF32(v.y, exponent),
    powF32(v.z, exponent),
    powF32(v.w, exponent),
  );
}

// What the gradient is multiplied by, so that a norm of `squares` becomes at most params.clip.
fn clipFactor(squares: f32) -> f32 {
  let norm = sqrt(squares) * params.gradientScale;
  if (!isFinite(norm)) { return nanF32(); }
  if (norm <= params.clip) { return params.gradientScale; }
  return params.gradientScale * params.clip / norm;
}

fn clippedGradient(index: u32, segment: u32) -> vec4f {
  let g = gradients[index];
  switch (CLIP) {
    case 1u: { return cutAt(g * params.gradientScale, params.clip); }
    case 2u: { return g * clipFactor(norms[segment]); }
    case 3u: {
      var squares = 0.0;
      for (var i = 0u; i < params.norms; i++) { squares += norms[i]; }
      return g * clipFactor(squares);
    }
    default: { return g * params.gradientScale; }
  }
}

// Four elements with their slots.
struct Cell {
  w: vec4f,
  a: vec4f,
  b: vec4f,
  c: vec4f,
}

// Follow the regularised leader, a = Σg² and b = z: with σ = (a'^power − a^power) / rate, z += g + 2 shrinkage w − σ w, and
// w = (clamp(z, ±l1) − z) / ((a'^power + beta) / rate + 2 l2).
fn ftrl(cell: Cell, g: vec4f, rate: f32) -> Cell {
  if (rate == 0.0) { return cell; }
  let w = cell.w;
  let sum = cell.a + g * g;
  let root = powers(sum, params.power);
  let sigma = (root - powers(cell.a, params.power)) / rate;
  let z = cell.b + (g + 2.0 * params.shrinkage * w) - sigma * w;
  return Cell((cutAt(z, params.l1) - z) / ((root + params.beta) / rate + 2.0 * params.l2), sum, z, cell.c);
}

// The cell after one step; `rate` is the segment's own.
fn applyRule(cell: Cell, g: vec4f, rate: f32) -> Cell {
  let w = cell.w;
  let a = cell.a;
  let b = cell.b;
  let c = cell.c;
  switch (OP) {
    case 0u: { return Cell(w - rate * g, a, b, c); }
    case 1u: {
      let velocity = params.momentum * a - rate * g;
      return Cell(w + velocity, velocity, b, c);
    }
    case 2u: {
      let velocity = params.momentum * a - rate * g;
      return Cell(w + (params.momentum * velocity - rate * g), velocity, b, c);
    }
    case 3u: {
      let squares = params.keep1 * a + params.fresh1 * g * g;
      return Cell(w - rate * g / sqrt(squares + params.epsilon), squares, b, c);
    }
    case 4u: {
      let squares = params.keep1 * a + params.fresh1 * g * g;
      let velocity = params.momentum * b + rate * g / sqrt(squares + params.epsilon);
      return Cell(w - velocity, squares, velocity, c);
    }
    case 5u: {
      let squares = params.keep1 * a + params.fresh1 * g * g;
      let mean = params.keep1 * b + params.fresh1 * g;
      return Cell(w - rate * g / sqrt(squares - mean * mean + params.epsilon), squares, mean, c);
    }
    case 6u: {
      let squares = params.keep1 * a + params.fresh1 * g * g;
      let mean = params.keep1 * b + params.fresh1 * g;
      let velocity = params.momentum * c + rate * g / sqrt(squares - mean * mean + params.epsilon);
      return Cell(w - velocity, squares, mean, velocity);
    }
    case 7u: {
      let squares = a + g * g;
      return Cell(w - rate * g / sqrt(squares + params.epsilon), squares, b, c);
    }
    case 8u: {
      let squares = params.keep1 * a + params.fresh1 * g * g;
      let delta = g * sqrt(b + params.epsilon) / sqrt(squares + params.epsilon);
      return Cell(w - rate * delta, squares, params.keep1 * b + params.fresh1 * delta * delta, c);
    }
    case 9u: {
      let mean = a + params.fresh1 * (g - a);
      let squares = b + params.fresh2 * (g * g - b);
      return Cell(w - rate * params.correction1 * mean / (sqrt(squares) + params.epsilon), mean, squares, c);
    }
    case 10u: {
      let mean = a + params.fresh1 * (g - a);
      let squares = b + params.fresh2 * (g * g - b);
      let largest = largerOf(c, squares);
      return Cell(w - rate * params.correction1 * mean / (sqrt(largest) + params.epsilon), mean, squares, largest);
    }
    case 11u: {
      let mean = a + params.fresh1 * (g - a);
      let largest = largerOf(params.keep2 * b, abs(g));
      return Cell(w - rate * params.correction1 * mean / (largest + params.epsilon), mean, largest, c);
    }
    case 12u: {
      let mean = a + params.fresh1 * (g - a);
      let squares = b + params.fresh2 * (g * g - b);
      let ahead = params.correction1 * mean + params.direct * g;
      return Cell(w - rate * ahead / (sqrt(params.correction2 * squares) + params.epsilon), mean, squares, c);
    }
    case 13u: {
      let direction = params.keep1 * a + params.fresh1 * g;
      let step = select(sign(direction), direction, areNan(direction));
      return Cell(w - rate * step, params.keep2 * a + params.fresh2 * g, b, c);
    }
    default: { return ftrl(cell, g, rate); }
  }
}

fn isActive(segment: u32) -> bool {
  return segments[3u * segment + 2u] != 0.0;
}

fn advance(cell: Cell, index: u32, segment: u32) -> Cell {
  let rate = params.rate * segments[3u * segment];
  let decay = params.weightDecay * rate * segments[3u * segment + 1u];
  let decayed = Cell(cell.w - cell.w * decay, cell.a, cell.b, cell.c);
  return applyRule(decayed, clippedGradient(index, segment), rate);
}

@compute @workgroup_size(64)
fn withoutSlots(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.quads) { return; }
  let segment = blocks[index / 16u];
  if (!isActive(segment)) { return; }
  let cell = advance(Cell(values[index], vec4f(), vec4f(), vec4f()), index, segment);
  values[index] = cell.w;
}

@compute @workgroup_size(64)
fn withOneSlot(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.quads) { return; }
  let segment = blocks[index / 16u];
  if (!isActive(segment)) { return; }
  let cell = advance(Cell(values[index], slotA[index], vec4f(), vec4f()), index, segment);
  values[index] = cell.w;
  slotA[index] = cell.a;
}

@compute @workgroup_size(64)
fn withTwoSlots(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.quads) { return; }
  let segment = blocks[index / 16u];
  if (!isActive(segment)) { return; }
  let cell = advance(Cell(values[index], slotA[index], slotB[index], vec4f()), index, segment);
  values[index] = cell.w;
  slotA[index] = cell.a;
  slotB[index] = cell.b;
}

@compute @workgroup_size(64)
fn withThreeSlots(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.quads) { return; }
  let segment = blocks[index / 16u];
  if (!isActive(segment)) { return; }
  let cell = advance(Cell(values[index], slotA[index], slotB[index], slotC[index]), index, segment);
  values[index] = cell.w;
  slotA[index] = cell.a;
  slotB[index] = cell.b;
  slotC[index] = cell.c;
}
