// Products of floats over one run of axes: out[o, p, i] = Π over r in part p of in[o, r, i]
//
//   source  (outer, length, inner)  float32 (RAW), or pairs (m, e) of an earlier stage, two words each
//   result  (outer, parts, inner)   float32 (LAST), or pairs; part p covers r in [p·chunk, min((p+1)·chunk, length))
//
// Each element of `result` is written (`=`) by one invocation (productLane), or by invocation 0 of one workgroup
// (productGroup). Partial products carry their exponent apart, so that none of them over- or underflows: the result is
// zero or infinite only where the product itself is beyond the range of float32, in whatever order it was taken.

override RAW: bool = true;
override LAST: bool = true;
override WORKGROUP: u32 = 64u;

struct Params {
  count: u32,      // outer · parts · inner
  length: u32,
  inner: u32,
  parts: u32,
  chunk: u32,
  pad0: u32,
  pad1: u32,
  pad2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;

var<workgroup> partialM: array<f32, WORKGROUP>;
var<workgroup> partialE: array<i32, WORKGROUP>;

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

fn storeProduct(at: u32, v: Scaled) {
  if (LAST) {
    result[at] = bitcast<u32>(joinFloat(v));
  } else {
    result[2u * at] = bitcast<u32>(v.m);
    result[2u * at + 1u] = bitcast<u32>(v.e);
  }
}

@compute @workgroup_size(WORKGROUP)
fn productLane(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) { return; }
  let row = index / params.inner;
  let column = index - row * params.inner;
  let outer = row / params.parts;
  let start = (row - outer * params.parts) * params.chunk;
  let first = (outer * params.length + start) * params.inner + column;
  storeProduct(index, multiplyRun(first, min(params.chunk, params.length - start), params.inner));
}

@compute @workgroup_size(WORKGROUP)
fn productGroup(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if (index >= params.count) { return; }
  let row = index / params.inner;
  let column = index - row * params.inner;
  let outer = row / params.parts;
  let start = (row - outer * params.parts) * params.chunk;
  let first = (outer * params.length + start + lane) * params.inner + column;
  let size = min(params.chunk, params.length - start);
  var count = 0u;
  if (lane < size) { count = (size - lane + WORKGROUP - 1u) / WORKGROUP; }
  let own = multiplyRun(first, count, params.inner * WORKGROUP);
  partialM[lane] = own.m;
  partialE[lane] = own.e;
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      let other = lane + half;
      let both = timesScaled(Scaled(partialM[lane], partialE[lane]), Scaled(partialM[other], partialE[other]));
      partialM[lane] = both.m;
      partialE[lane] = both.e;
    }
    workgroupBarrier();
  }
  if (lane == 0u) { storeProduct(index, Scaled(partialM[0], partialE[0])); }
}
