// Cross-entropy from logits along one axis, and its gradient. With m = max over r of x[o, r, i], s = Σ exp(x - m) and
// weights y of the classes:
//
//   loss[o, i]      = Σ over r of y[o, r, i] ((m - x[o, r, i]) + log s), where a weight of 0 adds 0 whatever the logit
//   stats[0, o, i]  = m
//   stats[1, o, i]  = (Σ y) / s
//   dx[o, r, i]     = g[o, i] (exp(x - m) stats[1, o, i] - y[o, r, i])
//
//   source  (outer, length, inner)   the logits x, float32
//   wanted  DENSE:  (outer, length, inner), float32, from which y = keep · wanted + floor
//           else:   (outer, inner), int32: the class with y = 1; the others have 0
//   errors  (4,)                     the device's error record, for labels out of range
//   losses  (outer, inner)           stats (2, outer, inner)          g (outer, inner)         dx like source
//
// A column (o, i) belongs to one invocation (crossEntropyLane) or one workgroup (crossEntropyGroup), which writes (`=`)
// its loss and its two numbers; in crossEntropyGradient an invocation owns up to 16 elements of dx, `chunks` apart in
// their column (`=`). A NaN, a label out of range and an infinite m make their column NaN. A label that is `ignored`
// makes the loss, stats[1] and the gradient 0; so does a g of 0 the gradient, since it cuts the path, whatever is behind.
//
// The logits are read once: exponentials are taken relative to `base`, which follows the largest logit so far, but only
// when that is more than 1 ahead: so sums are rescaled seldom, and older errors die out by a factor of e each time.

override DENSE: bool = true;
override WORKGROUP: u32 = 64u;

struct Params {
  count: u32,     // columns; in the gradient invocations
  length: u32,
  inner: u32,
  op: u32,        // the op's number in the error record, 0 where labels were checked before
  columns: u32,   // outer · inner
  chunks: u32,
  ignoring: u32,  // 1 where there is an ignored label
  ignored: u32,
  keep: f32,
  floor: f32,
  unused0: u32,
  unused1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read> wanted: array<u32>;
@group(0) @binding(3) var<storage, read_write> errors: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> losses: array<f32>;
@group(0) @binding(5) var<storage, read_write> stats: array<f32>;

@group(0) @binding(3) var<storage, read> statsIn: array<f32>;
@group(0) @binding(4) var<storage, read> g: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;

var<workgroup> partial: array<f32, WORKGROUP>;

// The top bit of a limit in the error record: negative indices do not count from the end.
const NO_WRAP = 0x80000000u;
const LEAST = -3.4028234e38;

fn isNan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn infF32() -> f32 {
  var bits = 0x7f800000u;
  return bitcast<f32>(bits);
}

fn nanF32() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}

// v - k ln 2 in two steps, of which the first is exact. The max changes nothing: it keeps drivers (Mesa) from merging
// the two products into one by k * (a + b), which costs 5 bits.
fn reduceLn2x4(v: vec4f, k: vec4f) -> vec4f {
  return fma(k, vec4f(2.12194440e-4), max(fma(k, vec4f(-0.693359375), v), vec4f(-1.0e9)));
}

// exp(v) for v <= 0, also -inf; 0 where the result is subnormal. 2^k is made without a shift and without a conversion
// to an integer, which cost SwiftShader 7 and 16 additions: k + 1.5 * 2^23 holds k in its low bits.
fn expNegative(v: vec4f) -> vec4f {
  let x = max(v, vec4f(-87.33654));
  let k = round(x * 1.44269504);
  let r = reduceLn2x4(x, k);
  var p = fma(vec4f(1.9875691500e-4), r, vec4f(1.3981999507e-3));
  p = fma(p, r, vec4f(8.3334519073e-3));
  p = fma(p, r, vec4f(4.1665795894e-2));
  p = fma(p, r, vec4f(1.6666665459e-1));
  p = fma(p, r, vec4f(5.0000001201e-1));
  p = fma(p, r * r, r);
  let power = bitcast<vec4f>(bitcast<vec4u>(k + 12582912.0) * 0x00800000u + vec4u(0x3f800000u));
  return select(fma(p, power, power), vec4f(0.0), v < vec4f(-87.33654));
}

// log(1 + f) + e ln 2 for sqrt(1/2) <= 1 + f < sqrt(2).
fn logCore(f: f32, e: f32) -> f32 {
  var p = fma(7.0376836292e-2, f, -1.1514610310e-1);
  p = fma(p, f, 1.1676998740e-1);
  p = fma(p, f, -1.2420140846e-1);
  p = fma(p, f, 1.4249322787e-1);
  p = fma(p, f, -1.6668057665e-1);
  p = fma(p, f, 2.0000714765e-1);
  p = fma(p, f, -2.4999993993e-1);
  p = fma(p, f, 3.3333331174e-1);
  let z = f * f;
  var y = p * f * z;
  y = fma(e, -2.12194440e-4, y);
  y = fma(z, -0.5, y);
  return fma(e, 0.693359375, f + y);
}

fn logF32(v: f32) -> f32 {
  if (isNan(v)) { return v; }
  if (v < 0.0) { return nanF32(); }
  if (bitcast<u32>(v) == 0x7f800000u) { return v; }
  let tiny = v < 1.17549435e-38;
  let bits = bitcast<u32>(select(v, v * 8388608.0, tiny));
  if ((bits & 0x7fffffffu) < 0x00800000u) { return -infF32(); }
  // The mantissa is taken from [sqrt(1/2), sqrt(2)): 0x3f3504f3 is sqrt(1/2).
  let shifted = bits - 0x3f3504f3u;
  let e = bitcast<i32>(shifted) >> 23u;
  let m = bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u);
  return logCore(m - 1.0, f32(e) - select(0.0, 23.0, tiny));
}

fn isInfinite(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) == 0x7f800000u;
}

// The larger, or the NaN, of two numbers.
fn larger(a: f32, b: f32) -> f32 {
  return select(select(b, a, a >= b || isNan(a)), b, isNan(b));
}

// The elements of a column that an invocation walks: `count` of them from `first`, `stride` words apart.
struct Walk {
  first: u32,
  count: u32,
  stride: u32,
}

// Every `lanes`-th element of column `index`, from the lane-th on.
fn walkOf(index: u32, lane: u32, lanes: u32) -> Walk {
  let outer = index / params.inner;
  let column = index - outer * params.inner;
  var count = 0u;
  if (lane < params.length) {
    count = (params.length - lane + lanes - 1u) / lanes;
  }
  return Walk((outer * params.length + lane) * params.inner + column, count, lanes * params.inner);
}

fn four(at: u32, offsets: vec4u) -> vec4f {
  return vec4f(source[at + offsets.x], source[at + offsets.y], source[at + offsets.z], source[at + offsets.w]);
}

fn magnitude(v: vec4f) -> vec4u {
  return bitcast<vec4u>(v) & vec4u(0x7fffffffu);
}

fn total(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

// Keeps the first offence of all.
fn reportIndex(position: u32, value: i32, limit: u32) {
  if (params.op == 0u) {
    return;
  }
  var claim = atomicCompareExchangeWeak(&errors[0], 0u, params.op);
  while (!claim.exchanged && claim.old_value == 0u) {
    claim = atomicCompareExchangeWeak(&errors[0], 0u, params.op);
  }
  if (claim.exchanged) {
    atomicStore(&errors[1], position);
    atomicStore(&errors[2], bitcast<u32>(value));
    atomicStore(&errors[3], limit);
  }
}

struct Block {
  a: vec4f,
  b: vec4f,
  c: vec4f,
  d: vec4f,
}

// What a column has come to so far.
struct Tally {
  base: f32,
  largest: f32,
  bits: u32,      // the largest magnitude, above that of infinity if there was a NaN
  sum: f32,       // Σ exp(x - base) up to the last 256 elements, which are in `recent`
  recent: f32,
  cost: f32,      // DENSE: Σ y (base - x)
  weight: f32,    // DENSE: Σ y
}

fn largestOf4(v: vec4f) -> f32 {
  return max(max(v.x, v.y), max(v.z, v.w));
}

fn costOf(y: vec4f, distance: vec4f) -> vec4f {
  return select(y * distance, vec4f(0.0), y == vec4f(0.0));
}

fn absorb(t: ptr<function, Tally>, x: Block, y: Block) {
  let top = largestOf4(max(max(x.a, x.b), max(x.c, x.d)));
  let bits = max(max(magnitude(x.a), magnitude(x.b)), max(magnitude(x.c), magnitude(x.d)));
  (*t).bits = max((*t).bits, max(max(bits.x, bits.y), max(bits.z, bits.w)));
  (*t).largest = max((*t).largest, top);
  if (top > (*t).base + 1.0) {
    let factor = expNegative(vec4f((*t).base - top)).x;
    (*t).sum *= factor;
    (*t).recent *= factor;
    if (DENSE) {
      (*t).cost += select((*t).weight * (top - (*t).base), 0.0, (*t).weight == 0.0);
    }
    (*t).base = top;
  }
  let base = (*t).base;
  let low = expNegative(x.a - base) + expNegative(x.b - base);
  let high = expNegative(x.c - base) + expNegative(x.d - base);
  (*t).recent += total(low + high);
  if (DENSE) {
    let near = costOf(y.a, base - x.a) + costOf(y.b, base - x.b);
    let far = costOf(y.c, base - x.c) + costOf(y.d, base - x.d);
    (*t).cost += total(near + far);
    (*t).weight += total((y.a + y.b) + (y.c + y.d));
  }
}

// The weights of four classes.
fn weights(at: u32, offsets: vec4u) -> vec4f {
  let y = vec4f(
    bitcast<f32>(wanted[at + offsets.x]),
    bitcast<f32>(wanted[at + offsets.y]),
    bitcast<f32>(wanted[at + offsets.z]),
    bitcast<f32>(wanted[at + offsets.w]),
  );
  return fma(y, vec4f(params.keep), vec4f(params.floor));
}

// Quad k of what is left of a walk; `missing` stands for elements beyond its end.
fn quadAt(at: u32, k: u32, left: u32, stride: u32, missing: f32) -> vec4f {
  let places = 4u * k + vec4u(0u, 1u, 2u, 3u);
  return select(vec4f(missing), four(at, min(places, vec4u(left - 1u)) * stride), places < vec4u(left));
}

fn weightsOf(at: u32, k: u32, left: u32, stride: u32) -> vec4f {
  let places = 4u * k + vec4u(0u, 1u, 2u, 3u);
  return select(vec4f(0.0), weights(at, min(places, vec4u(left - 1u)) * stride), places < vec4u(left));
}

fn tallyOf(walk: Walk) -> Tally {
  let offsets = vec4u(0u, 1u, 2u, 3u) * walk.stride;
  let quad = 4u * walk.stride;
  var t = Tally(LEAST, -infF32(), 0u, 0.0, 0.0, 0.0, 0.0);
  var y = Block(vec4f(0.0), vec4f(0.0), vec4f(0.0), vec4f(0.0));
  var at = walk.first;
  var left = walk.count;
  while (left >= 16u) {
    let x = Block(
      four(at, offsets),
      four(at + quad, offsets),
      four(at + 2u * quad, offsets),
      four(at + 3u * quad, offsets),
    );
    if (DENSE) {
      y = Block(
        weights(at, offsets),
        weights(at + quad, offsets),
        weights(at + 2u * quad, offsets),
        weights(at + 3u * quad, offsets),
      );
    }
    absorb(&t, x, y);
    at += 4u * quad;
    left -= 16u;
    let ends = (left & 0xf0u) == 0u;
    t.sum += select(0.0, t.recent, ends);
    t.recent = select(t.recent, 0.0, ends);
  }
  if (left > 0u) {
    let least = -infF32();
    let x = Block(
      quadAt(at, 0u, left, walk.stride, least),
      quadAt(at, 1u, left, walk.stride, least),
      quadAt(at, 2u, left, walk.stride, least),
      quadAt(at, 3u, left, walk.stride, least),
    );
    if (DENSE) {
      y = Block(
        weightsOf(at, 0u, left, walk.stride),
        weightsOf(at, 1u, left, walk.stride),
        weightsOf(at, 2u, left, walk.stride),
        weightsOf(at, 3u, left, walk.stride),
      );
    }
    absorb(&t, x, y);
  }
  t.largest = select(t.largest, nanF32(), t.bits > 0x7f800000u);
  return t;
}

// Takes a tally to another base, which is at least as high as its own.
fn sumAt(t: Tally, base: f32) -> f32 {
  return (t.sum + t.recent) * expNegative(vec4f(t.base - base)).x;
}

fn costAt(t: Tally, base: f32) -> f32 {
  return t.cost + select(t.weight * (base - t.base), 0.0, t.weight == 0.0);
}

fn writeDense(column: u32, largest: f32, sum: f32, cost: f32, weight: f32) {
  let defined = select(sum, nanF32(), isNan(largest) || isInfinite(largest));
  losses[column] = cost + weight * logF32(defined);
  stats[column] = largest;
  stats[params.columns + column] = weight / defined;
}

fn writeLabelled(column: u32, first: u32, largest: f32, sum: f32) {
  let label = bitcast<i32>(wanted[column]);
  let skip = params.ignoring == 1u && label == bitcast<i32>(params.ignored);
  let valid = label >= 0 && u32(label) < params.length;
  if (!skip && !valid) {
    reportIndex(column, label, params.length | NO_WRAP);
  }
  let defined = select(sum, nanF32(), isNan(largest) || isInfinite(largest) || !valid);
  let picked = source[first + select(0u, u32(label), valid) * params.inner];
  losses[column] = select((largest - picked) + logF32(defined), 0.0, skip);
  stats[column] = largest;
  stats[params.columns + column] = select(1.0 / defined, 0.0, skip);
}

@compute @workgroup_size(WORKGROUP)
fn crossEntropyLane(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let column = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (column >= params.count) {
    return;
  }
  let walk = walkOf(column, 0u, 1u);
  let t = tallyOf(walk);
  let sum = sumAt(t, t.largest);
  if (DENSE) {
    writeDense(column, t.largest, sum, costAt(t, t.largest), t.weight);
  } else {
    writeLabelled(column, walk.first, t.largest, sum);
  }
}

// The sum over the workgroup, in every lane; in a fixed order.
fn sumOfLanes(lane: u32, own: f32) -> f32 {
  workgroupBarrier();
  partial[lane] = own;
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] += partial[lane + half];
    }
    workgroupBarrier();
  }
  return partial[0];
}

@compute @workgroup_size(WORKGROUP)
fn crossEntropyGroup(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let column = group.x + group.y * groups.x;
  if (column >= params.count) {
    return;
  }
  let t = tallyOf(walkOf(column, lane, WORKGROUP));
  partial[lane] = t.largest;
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] = larger(partial[lane], partial[lane + half]);
    }
    workgroupBarrier();
  }
  let largest = partial[0];
  let sum = sumOfLanes(lane, sumAt(t, largest));
  var cost = 0.0;
  var weight = 0.0;
  if (DENSE) {
    cost = sumOfLanes(lane, costAt(t, largest));
    weight = sumOfLanes(lane, t.weight);
  }
  if (lane > 0u) {
    return;
  }
  if (DENSE) {
    writeDense(column, largest, sum, cost, weight);
  } else {
    writeLabelled(column, walkOf(column, 0u, 1u).first, largest, sum);
  }
}

// What the elements of a column share.
struct Column {
  first: u32,    // of this invocation's elements
  stride: u32,   // between them
  class0: u32,   // the class of the first
  count: u32,    // how many there are
  largest: f32,
  share: f32,    // stats[1]
  g: f32,
  label: u32,    // the class with the weight 1, where labels are given
}

// Four neighbours among the elements of an invocation. Where less are left, the last one is written again.
fn gradientOf(c: Column, k: u32) {
  let places = min(4u * k + vec4u(0u, 1u, 2u, 3u), vec4u(c.count - 1u));
  let offsets = places * c.stride;
  let p = expNegative(four(c.first, offsets) - c.largest) * c.share;
  var y = vec4f(0.0);
  if (DENSE) {
    y = weights(c.first, offsets);
  } else {
    y = select(y, vec4f(1.0), c.class0 + places * params.chunks == vec4u(c.label));
  }
  let d = select(c.g * (p - y), vec4f(0.0), c.g == 0.0);
  dx[c.first + offsets.x] = d.x;
  dx[c.first + offsets.y] = d.y;
  dx[c.first + offsets.z] = d.z;
  dx[c.first + offsets.w] = d.w;
}

@compute @workgroup_size(WORKGROUP)
fn crossEntropyGradient(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  let rest = index / params.inner;
  let i = index - rest * params.inner;
  let outer = rest / params.chunks;
  let chunk = rest - outer * params.chunks;
  let column = outer * params.inner + i;
  var c: Column;
  c.first = (outer * params.length + chunk) * params.inner + i;
  c.stride = params.chunks * params.inner;
  c.class0 = chunk;
  c.count = (params.length - chunk + params.chunks - 1u) / params.chunks;
  c.largest = statsIn[column];
  c.share = statsIn[params.columns + column];
  c.g = g[column];
  if (!DENSE) {
    c.label = wanted[column];
    // An ignored class has no share and, being no class here, no weight: the gradient is 0 even beside NaN.
    if (params.ignoring == 1u && c.label == params.ignored) {
      for (var k = 0u; k < c.count; k++) {
        dx[c.first + k * c.stride] = 0.0;
      }
      return;
    }
  }
  gradientOf(c, 0u);
  if (c.count > 4u) { gradientOf(c, 1u); }
  if (c.count > 8u) { gradientOf(c, 2u); }
  if (c.count > 12u) { gradientOf(c, 3u); }
}
