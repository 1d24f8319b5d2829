// Running products of floats along one axis of a tensor seen as (outer, length, inner), and what their gradients take.
//
//   productScan     out[s] = x[0] · x[1] · … · x[s]   (exclusive: without x[s]; out[0] = 1)
//   productTimes    out[s] = prefix[s] · x[0] · … · x[s − 1]
//   gradientScan    out[s] = prefix[s] · h[s], with h[s] = x[s − 1] · h[s − 1] + g[s], h[−1] = 0 (exclusive: + g[s − 1]);
//                   what is multiplied by 0 is 0, whatever it is
//
// s counts in the direction of the scan, from the end when `backwards`. Buffers are (outer, length, inner), those of parts
// are (outer, parts, inner). An axis is cut into parts of `chunk` elements, each of which belongs to one invocation.
// `productTotals` and `gradientTotals` write what each part does (its product; the map of a state before it to the state
// after it), which is scanned in turn; then the scans go through their part again, from what all parts before it gave
// (carry[part − 1]), and write every element with `=`. Numbers carry their exponent apart, as pairs (m, e) of two words in
// prefix and in the buffers of parts, so that none of them over- or underflows on the way: an element is zero or infinite
// only where it is itself beyond the range of float32.

override RAW: bool = true;     // the elements are floats; otherwise pairs, or two pairs of `gradientTotals`
override JOINED: bool = true;  // so are the results; otherwise pairs

struct Params {
  lanes: u32,      // outer · parts · inner
  length: u32,
  inner: u32,
  parts: u32,
  chunk: u32,
  backwards: u32,
  exclusive: u32,
  carried: u32,
  pad0: u32,
  pad1: u32,
  pad2: u32,
  pad3: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
// productTotals and productScan
@group(0) @binding(2) var<storage, read_write> total: array<u32>;
@group(0) @binding(2) var<storage, read> carry: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;
// productTimes
@group(0) @binding(3) var<storage, read> prefix: array<u32>;
@group(0) @binding(4) var<storage, read_write> product: array<u32>;
// gradientTotals and gradientScan
@group(0) @binding(2) var<storage, read> terms: array<u32>;
@group(0) @binding(3) var<storage, read_write> totalMap: array<u32>;
@group(0) @binding(3) var<storage, read> states: array<u32>;
@group(0) @binding(4) var<storage, read> factors: array<u32>;
@group(0) @binding(5) var<storage, read_write> result: array<u32>;

// m · 2^e. Of what was multiplied, m is normal, 0, infinite or NaN; of a float as it was read, anything.
struct Scaled {
  m: f32,
  e: i32,
}

// Neither zero nor subnormal nor infinite nor NaN.
fn isNormal(v: f32) -> bool {
  return ((bitcast<u32>(v) + 0x00800000u) & 0x7f000000u) != 0u;
}

// With 1 ≤ |m| < 2 for every finite number but 0, by its bits, since a device may take a subnormal number for 0.
fn splitFloat(v: f32) -> Scaled {
  let bits = bitcast<u32>(v);
  let biased = (bits >> 23u) & 0xffu;
  let fraction = bits & 0x7fffffu;
  if (biased == 0xffu || (bits & 0x7fffffffu) == 0u) { return Scaled(v, 0); }
  if (biased == 0u) {
    let shift = countLeadingZeros(fraction) - 8u;
    let shifted = (fraction << shift) & 0x7fffffu;
    return Scaled(bitcast<f32>((bits & 0x80000000u) | 0x3f800000u | shifted), -126 - i32(shift));
  }
  return Scaled(bitcast<f32>((bits & 0x80000000u) | 0x3f800000u | fraction), i32(biased) - 127);
}

// As long as the product of the numbers is normal, it is all there is to it. What follows is rare, and stands in a loop
// of one turn, which SwiftShader skips where no lane takes it; it goes through both sides of a branch. The clamp keeps
// exponents from wrapping around: from there on they only tell zero from infinity.
fn timesScaled(a: Scaled, b: Scaled) -> Scaled {
  var product = Scaled(a.m * b.m, a.e + b.e);
  for (var rare = !isNormal(product.m); rare; rare = false) {
    let p = splitFloat(a.m);
    let q = splitFloat(b.m);
    product = Scaled(p.m * q.m, a.e + p.e + b.e + q.e);
  }
  product.e = clamp(product.e, -0x20000000, 0x20000000);
  return product;
}

// The nearest float to m · 2^e: infinite or subnormal where that is what it is.
fn joinFloat(v: Scaled) -> f32 {
  let bits = bitcast<u32>(v.m);
  let fraction = bits & 0x7fffffu;
  let e = i32((bits >> 23u) & 0xffu) + v.e;
  var size = select((u32(max(e, 0)) << 23u) | fraction, 0x7f800000u, e >= 255);
  size = select(size, 0u, e <= 0);
  for (var rare = (e <= 0) & (e >= -23); rare; rare = false) {
    let whole = fraction | 0x800000u;
    let shift = u32(1 - e);
    let kept = whole >> shift;
    let rest = whole - (kept << shift);
    let half = 1u << (shift - 1u);
    let up = (rest > half) | ((rest == half) & ((kept & 1u) == 1u));
    size = kept + select(0u, 1u, up);
  }
  let joined = bitcast<f32>((bits & 0x80000000u) | size);
  return select(joined, v.m, (v.e == 0) | !isNormal(v.m));
}

fn loadPair(at: u32) -> Scaled {
  return Scaled(bitcast<f32>(source[2u * at]), bitcast<i32>(source[2u * at + 1u]));
}

fn timesElement(a: Scaled, at: u32) -> Scaled {
  if (RAW) { return timesScaled(a, Scaled(bitcast<f32>(source[at]), 0)); }
  return timesScaled(a, loadPair(at));
}

// m times four elements, or 0 where a product on the way is not normal.
fn times4(m: f32, at: u32, stride: u32) -> f32 {
  let one = m * bitcast<f32>(source[at]);
  let two = one * bitcast<f32>(source[at + stride]);
  let three = two * bitcast<f32>(source[at + 2u * stride]);
  let four = three * bitcast<f32>(source[at + 3u * stride]);
  let normal = isNormal(one) & isNormal(two) & isNormal(three) & isNormal(four);
  return select(0.0, four, normal);
}

// The product of `count` elements that lie `stride` apart: of 16 at a time where all products on the way are normal.
fn multiplyRun(first: u32, count: u32, stride: u32) -> Scaled {
  var product = Scaled(1.0, 0);
  var at = first;
  var left = count;
  while (left > 0u) {
    let size = min(left, 16u);
    var single = size;
    if (RAW && size == 16u) {
      var m = times4(product.m, at, stride);
      m = times4(m, at + 4u * stride, stride);
      m = times4(m, at + 8u * stride, stride);
      m = times4(m, at + 12u * stride, stride);
      if (isNormal(m)) {
        product.m = m;
        single = 0u;
      }
    }
    for (var k = 0u; k < single; k++) {
      product = timesElement(product, at + k * stride);
    }
    at += size * stride;
    left -= size;
  }
  return product;
}

// The part of an invocation: its number within the axis, and the offset of its row.
struct Part {
  number: u32,
  row: u32,
  first: u32,
  end: u32,
}

fn partOf(index: u32) -> Part {
  let outer = index / (params.parts * params.inner);
  let rest = index - outer * params.parts * params.inner;
  let number = rest / params.inner;
  let row = outer * params.length * params.inner + (rest - number * params.inner);
  let first = number * params.chunk;
  return Part(number, row, first, min(first + params.chunk, params.length));
}

// Where element s of the scan stands.
fn addressAt(row: u32, s: u32) -> u32 {
  return row + select(s, params.length - 1u - s, params.backwards != 0u) * params.inner;
}

// How far the next element of the scan lies; unsigned numbers wrap around.
fn strideOf() -> u32 {
  return select(params.inner, 0u - params.inner, params.backwards != 0u);
}

fn carriedProduct(index: u32, part: Part) -> Scaled {
  if (params.carried == 0u || part.number == 0u) { return Scaled(1.0, 0); }
  let before = 2u * (index - params.inner);
  return Scaled(bitcast<f32>(carry[before]), bitcast<i32>(carry[before + 1u]));
}

fn storePair(address: u32, v: Scaled) {
  out[2u * address] = bitcast<u32>(v.m);
  out[2u * address + 1u] = bitcast<u32>(v.e);
}

fn storePrefix(address: u32, v: Scaled) {
  if (JOINED) { out[address] = bitcast<u32>(joinFloat(v)); } else { storePair(address, v); }
}

// For numbers that are floats as they are (JOINED, with an exponent of 0).
fn storePlain(address: u32, v: Scaled) {
  if (JOINED) { out[address] = bitcast<u32>(v.m); } else { storePair(address, v); }
}

@compute @workgroup_size(64)
fn productTotals(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.lanes) { return; }
  let part = partOf(index);
  let all = multiplyRun(addressAt(part.row, part.first), part.end - part.first, strideOf());
  total[2u * index] = bitcast<u32>(all.m);
  total[2u * index + 1u] = bitcast<u32>(all.e);
}

@compute @workgroup_size(64)
fn productScan(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.lanes) { return; }
  let part = partOf(index);
  let stride = strideOf();
  let exclusive = params.exclusive != 0u;
  var running = carriedProduct(index, part);
  var at = addressAt(part.row, part.first);
  var left = part.end - part.first;
  while (left > 0u) {
    let size = min(left, 4u);
    var single = size;
    if (RAW && size == 4u && (!JOINED || running.e == 0)) {
      let one = running.m * bitcast<f32>(source[at]);
      let two = one * bitcast<f32>(source[at + stride]);
      let three = two * bitcast<f32>(source[at + 2u * stride]);
      let four = three * bitcast<f32>(source[at + 3u * stride]);
      if (isNormal(one) & isNormal(two) & isNormal(three) & isNormal(four)) {
        storePlain(at, Scaled(select(one, running.m, exclusive), running.e));
        storePlain(at + stride, Scaled(select(two, one, exclusive), running.e));
        storePlain(at + 2u * stride, Scaled(select(three, two, exclusive), running.e));
        storePlain(at + 3u * stride, Scaled(select(four, three, exclusive), running.e));
        running.m = four;
        single = 0u;
      }
    }
    for (var k = 0u; k < single; k++) {
      let place = at + k * stride;
      if (exclusive) { storePrefix(place, running); }
      running = timesElement(running, place);
      if (!exclusive) { storePrefix(place, running); }
    }
    at += size * stride;
    left -= size;
  }
}

@compute @workgroup_size(64)
fn productTimes(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.lanes) { return; }
  let part = partOf(index);
  let stride = strideOf();
  var running = carriedProduct(index, part);
  var at = addressAt(part.row, part.first);
  for (var left = part.end - part.first; left > 0u; left--) {
    let before = Scaled(bitcast<f32>(prefix[2u * at]), bitcast<i32>(prefix[2u * at + 1u]));
    product[at] = bitcast<u32>(joinFloat(timesScaled(before, running)));
    running = timesElement(running, at);
    at += stride;
  }
}

fn isZero(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) == 0u;
}

// a · b, and 0 where either is 0.
fn cutScaled(a: Scaled, b: Scaled) -> Scaled {
  let product = timesScaled(a, b);
  return Scaled(select(product.m, 0.0, isZero(a.m) | isZero(b.m)), product.e);
}

// 2^e for -126 <= e <= 127.
fn exp2Int(e: i32) -> f32 {
  return bitcast<f32>(u32(e + 127) << 23u);
}

// Without an exponent of its own where it is far from the ends of the range.
fn settle(v: Scaled) -> Scaled {
  if (!isNormal(v.m)) { return Scaled(v.m, 0); }
  let p = splitFloat(v.m);
  let e = v.e + p.e;
  if (abs(e) > 60) { return Scaled(p.m, e); }
  return Scaled(p.m * exp2Int(e), 0);
}

fn plusScaled(a: Scaled, b: Scaled) -> Scaled {
  if (isZero(a.m)) { return b; }
  if (isZero(b.m)) { return a; }
  if (!isNormal(a.m) || !isNormal(b.m)) { return Scaled(a.m + b.m, 0); }
  let p = splitFloat(a.m);
  let q = splitFloat(b.m);
  let e = max(a.e + p.e, b.e + q.e);
  let m = p.m * exp2Int(max(a.e + p.e - e, -126)) + q.m * exp2Int(max(b.e + q.e - e, -126));
  return Scaled(m, e);
}

// 2^-100 ≤ |v| ≤ 2^100: beside it a subnormal number does not count.
fn isModerate(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) - 0x0d800000u <= 0x64000000u;
}

// An element of the recurrence: h ↦ factor · h + term.
struct Map {
  factor: Scaled,
  term: Scaled,
}

// What the parts gave.
fn loadMap(at: u32) -> Map {
  let factor = Scaled(bitcast<f32>(source[4u * at]), bitcast<i32>(source[4u * at + 1u]));
  let term = Scaled(bitcast<f32>(source[4u * at + 2u]), bitcast<i32>(source[4u * at + 3u]));
  return Map(factor, term);
}

// Of floats, an element has the factor of the element before, and its own term, or when `exclusive` that before too.
struct Before {
  factor: f32,
  term: f32,
}

fn firstBefore(part: Part) -> Before {
  if (part.first == 0u) { return Before(1.0, 0.0); }
  let at = addressAt(part.row, part.first - 1u);
  return Before(bitcast<f32>(source[at]), bitcast<f32>(terms[at]));
}

fn stepState(map: Map, state: Scaled) -> Scaled {
  return settle(plusScaled(cutScaled(map.factor, state), map.term));
}

fn stepFloat(factor: f32, term: f32, state: Scaled) -> Scaled {
  let carried = factor * state.m;
  var next = Scaled(carried + term, 0);
  for (var rare = !((state.e == 0) & isModerate(carried) & isModerate(next.m)); rare; rare = false) {
    next = stepState(Map(splitFloat(factor), splitFloat(term)), state);
  }
  return next;
}

@compute @workgroup_size(64)
fn gradientTotals(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.lanes) { return; }
  let part = partOf(index);
  var all = Map(Scaled(1.0, 0), Scaled(0.0, 0));
  let stride = strideOf();
  let exclusive = params.exclusive != 0u;
  var before = Before(1.0, 0.0);
  if (RAW) { before = firstBefore(part); }
  var at = addressAt(part.row, part.first);
  for (var left = part.end - part.first; left > 0u; left--) {
    if (RAW) {
      let term = bitcast<f32>(terms[at]);
      all.term = stepFloat(before.factor, select(term, before.term, exclusive), all.term);
      all.factor = cutScaled(all.factor, Scaled(before.factor, 0));
      before = Before(bitcast<f32>(source[at]), term);
    } else {
      let map = loadMap(at);
      all.term = stepState(map, all.term);
      all.factor = cutScaled(all.factor, map.factor);
    }
    at += stride;
  }
  totalMap[4u * index] = bitcast<u32>(all.factor.m);
  totalMap[4u * index + 1u] = bitcast<u32>(all.factor.e);
  totalMap[4u * index + 2u] = bitcast<u32>(all.term.m);
  totalMap[4u * index + 3u] = bitcast<u32>(all.term.e);
}

@compute @workgroup_size(64)
fn gradientScan(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.lanes) { return; }
  let part = partOf(index);
  var state = Scaled(0.0, 0);
  if (params.carried != 0u && part.number > 0u) {
    let place = 2u * (index - params.inner);
    state = Scaled(bitcast<f32>(states[place]), bitcast<i32>(states[place + 1u]));
  }
  let stride = strideOf();
  let exclusive = params.exclusive != 0u;
  var before = Before(1.0, 0.0);
  if (RAW) { before = firstBefore(part); }
  var at = addressAt(part.row, part.first);
  for (var left = part.end - part.first; left > 0u; left--) {
    if (RAW) {
      let term = bitcast<f32>(terms[at]);
      state = stepFloat(before.factor, select(term, before.term, exclusive), state);
      before = Before(bitcast<f32>(source[at]), term);
      let factor = Scaled(bitcast<f32>(factors[2u * at]), bitcast<i32>(factors[2u * at + 1u]));
      result[at] = bitcast<u32>(joinFloat(cutScaled(factor, state)));
    } else {
      state = stepState(loadMap(at), state);
      result[2u * at] = bitcast<u32>(state.m);
      result[2u * at + 1u] = bitcast<u32>(state.e);
    }
    at += stride;
  }
}
