// Random numbers: out[i] is drawn from block `counter + i` of Philox 4x32-10 (Salmon et al., 2011) under the key.
//
//   binding 1   out   (count,)   write   the bits of f32, i32 or bool words, as the distribution has it
//
// Invocation i owns element i and writes it with `=`. One block per element, so streams never shift.
// DISTRIBUTION: 0 uniform a + u (b - a), below `limit` at most; 1 normal, mean a, deviation b; 2 the same cut at
// a ± 2 b; 3 Bernoulli: a where the 24 bits are below `limit`, else 0; 4 whole numbers a + ⌊word · limit / 2^32⌋
// (`limit` 0 stands for 2^32); 5 the raw word. 0, 3, 4 and 5 are exact on every device.

override DISTRIBUTION: u32 = 0u;

struct Params {
  count: u32,
  key0: u32,
  key1: u32,
  counterLow: u32,
  counterHigh: u32,
  a: u32,
  b: u32,
  limit: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;

// The upper 32 bits of the 64-bit product.
fn mulHigh(a: u32, b: u32) -> u32 {
  let aLow = a & 0xffffu;
  let aHigh = a >> 16u;
  let bLow = b & 0xffffu;
  let bHigh = b >> 16u;
  let middle = aHigh * bLow + ((aLow * bLow) >> 16u);
  let cross = aLow * bHigh + (middle & 0xffffu);
  return aHigh * bHigh + (middle >> 16u) + (cross >> 16u);
}

fn philox(counterLow: u32, counterHigh: u32, keyLow: u32, keyHigh: u32) -> vec4u {
  var c = vec4u(counterLow, counterHigh, 0u, 0u);
  var key0 = keyLow;
  var key1 = keyHigh;
  for (var i = 0u; i < 10u; i++) {
    let high0 = mulHigh(0xd2511f53u, c.x);
    let high1 = mulHigh(0xcd9e8d57u, c.z);
    c = vec4u(high1 ^ c.y ^ key0, 0xcd9e8d57u * c.z, high0 ^ c.w ^ key1, 0xd2511f53u * c.x);
    key0 += 0x9e3779b9u;
    key1 += 0xbb67ae85u;
  }
  return c;
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

// log(v) for normal v > 0. The mantissa is taken from [sqrt(1/2), sqrt(2)): 0x3f3504f3 is sqrt(1/2).
fn logNormal(v: f32) -> f32 {
  let shifted = bitcast<u32>(v) - 0x3f3504f3u;
  let m = bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u);
  return logCore(m - 1.0, f32(bitcast<i32>(shifted) >> 23u));
}

// sin for |r| <= pi / 4.
fn sinSmall(r: f32) -> f32 {
  let z = r * r;
  let p = fma(fma(-1.9515295891e-4, z, 8.3321608736e-3), z, -1.6666654611e-1);
  return fma(p * z, r, r);
}

// cos for |r| <= pi / 4.
fn cosSmall(r: f32) -> f32 {
  let z = r * r;
  let p = fma(fma(2.443315711809948e-5, z, -1.388731625493765e-3), z, 4.166664568298827e-2);
  return fma(p * z, z, fma(-0.5, z, 1.0));
}

// sin(r + quadrant * pi / 2) for |r| <= pi / 4.
fn sinQuadrant(r: f32, quadrant: i32) -> f32 {
  let s = select(sinSmall(r), cosSmall(r), (quadrant & 1) == 1);
  return select(s, -s, (quadrant & 2) == 2);
}

// Box and Muller: sqrt(-2 log u) cos(2 pi k1 / 2^24), where u lies in (0, 1] and the quadrant is split off k1 in integers.
fn normal(word0: u32, word1: u32) -> f32 {
  let u = f32((word0 >> 8u) + 1u) * 5.9604644775390625e-8;
  let radius = sqrt(max(-2.0 * logNormal(u), 0.0));
  let k1 = i32(word1 >> 8u);
  let quadrant = (k1 + 2097152) >> 22u;
  let r = f32(k1 - (quadrant << 22u)) * 3.7450704e-7;
  return radius * sinQuadrant(r, quadrant + 1);
}

// The quantile of 1/2 + q by AS 241 (PPND7, Wichura 1988); q is odd in the 24 bits, so the draw is symmetric.
fn truncatedNormal(word: u32) -> f32 {
  let q = f32(i32(word >> 8u) * 2 + 1 - 16777216) * 2.9802322387695312e-8 * 0.9544997361036416;
  var z: f32;
  if (abs(q) <= 0.425) {
    let r = 0.180625 - q * q;
    let above = fma(fma(fma(59.109374720, r, 159.29113202), r, 50.434271938), r, 3.3871327179);
    let below = fma(fma(fma(67.187563600, r, 78.757757664), r, 17.895169469), r, 1.0);
    z = q * above / below;
  } else {
    let r = sqrt(-logNormal(0.5 - abs(q))) - 1.6;
    let above = fma(fma(fma(0.17023821103, r, 1.3067284816), r, 2.7568153900), r, 1.4234372777);
    let below = fma(fma(0.12021132975, r, 0.73700164250), r, 1.0);
    z = select(above / below, -above / below, q < 0.0);
  }
  return clamp(z, -2.0, 2.0);
}

fn draw(words: vec4u) -> u32 {
  let a = bitcast<f32>(params.a);
  let b = bitcast<f32>(params.b);
  switch (DISTRIBUTION) {
    case 0u: {
      let u = f32(words.x >> 8u) * 5.9604644775390625e-8;
      return bitcast<u32>(min(fma(u, b, a), bitcast<f32>(params.limit)));
    }
    case 1u: { return bitcast<u32>(fma(normal(words.x, words.y), b, a)); }
    case 2u: { return bitcast<u32>(fma(truncatedNormal(words.x), b, a)); }
    case 3u: { return select(0u, params.a, (words.x >> 8u) < params.limit); }
    case 4u: { return params.a + select(mulHigh(words.x, params.limit), words.x, params.limit == 0u); }
    default: { return words.x; }
  }
}

@compute @workgroup_size(64)
fn random(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= params.count) { return; }
  let low = params.counterLow + i;
  let high = params.counterHigh + select(0u, 1u, low < i);
  out[i] = draw(philox(low, high, params.key0, params.key1));
}
