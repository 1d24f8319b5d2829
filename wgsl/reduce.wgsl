// Reduction over one run of axes: out[o, p, i] = combine over r in part p of pre(in[o, r, i])
//
//   source  (outer, length, inner)  float32, int32 or bool as 32-bit words
//   result  (outer, parts, inner)   the same dtype; part p covers r in [p·chunk, min((p+1)·chunk, length))
//
// The last stage has one part. Each element of `result` is written (`=`) by one invocation (reduceLane), or by
// invocation 0 of one workgroup (reduceGroup). Where words lie in fours, one invocation reads them so: four neighbours
// of a row (reduceRow; inner = 1, chunk a multiple of 4, length too unless outer = 1) or four columns, of which it
// writes the four results (reduceColumns; inner a multiple of 4). Additions are blocked, 16 into a block as a tree,
// 16 blocks into a superblock, so that the rounding error does not grow with the full length; the order is fixed, so
// the same input gives the same bits. Blocks are written out: SwiftShader is slow in loops.

override OP: u32 = 0u;     // 0 sum, 1 product, 2 max, 3 min, 4 all, 5 any
override PRE: u32 = 0u;    // 0 as it is, 1 square, 2 absolute value
override FLOAT: bool = true;
override SCALED: bool = false;
override WORKGROUP: u32 = 64u;

struct Params {
  count: u32,      // outer · parts · inner, the elements of `result`
  length: u32,
  inner: u32,
  parts: u32,
  chunk: u32,
  neutral: u32,    // bits of the neutral element
  scale: f32,      // a float sum is multiplied by it when SCALED
  filled: u32,     // what reduceFill writes
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;
@group(0) @binding(1) var<storage, read> source4: array<vec4u>;
@group(0) @binding(2) var<storage, read_write> result4: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> vacant: array<u32>;

var<workgroup> partial: array<u32, WORKGROUP>;

fn isNan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn load(at: u32) -> u32 {
  let bits = source[at];
  switch (PRE) {
    case 1u: {
      let v = bitcast<f32>(bits);
      return bitcast<u32>(v * v);
    }
    case 2u: {
      if (FLOAT) {
        return bits & 0x7fffffffu;
      }
      return bitcast<u32>(abs(bitcast<i32>(bits)));
    }
    default: {
      return bits;
    }
  }
}

// The larger, or the NaN, of two float32.
fn largerFloat(a: u32, b: u32) -> u32 {
  let x = bitcast<f32>(a);
  let y = bitcast<f32>(b);
  return select(select(b, a, x >= y || isNan(x)), b, isNan(y));
}

fn smallerFloat(a: u32, b: u32) -> u32 {
  let x = bitcast<f32>(a);
  let y = bitcast<f32>(b);
  return select(select(b, a, x <= y || isNan(x)), b, isNan(y));
}

fn combine(a: u32, b: u32) -> u32 {
  switch (OP) {
    case 0u: {
      if (FLOAT) {
        return bitcast<u32>(bitcast<f32>(a) + bitcast<f32>(b));
      }
      return a + b;
    }
    case 1u: {
      if (FLOAT) {
        return bitcast<u32>(bitcast<f32>(a) * bitcast<f32>(b));
      }
      return a * b;
    }
    case 2u: {
      if (FLOAT) {
        return largerFloat(a, b);
      }
      return bitcast<u32>(max(bitcast<i32>(a), bitcast<i32>(b)));
    }
    case 3u: {
      if (FLOAT) {
        return smallerFloat(a, b);
      }
      return bitcast<u32>(min(bitcast<i32>(a), bitcast<i32>(b)));
    }
    case 4u: {
      return a & b;
    }
    default: {
      return a | b;
    }
  }
}

// Four elements that lie `stride` apart.
fn four(at: u32, stride: u32) -> u32 {
  let a = load(at);
  let b = load(at + stride);
  let c = load(at + 2u * stride);
  let d = load(at + 3u * stride);
  return combine(combine(a, b), combine(c, d));
}

fn sixteen(at: u32, stride: u32) -> u32 {
  let a = four(at, stride);
  let b = four(at + 4u * stride, stride);
  let c = four(at + 8u * stride, stride);
  let d = four(at + 12u * stride, stride);
  return combine(combine(a, b), combine(c, d));
}

// Combines `count` elements that lie `stride` apart, in blocks of 16 and superblocks of 256.
fn walk(first: u32, count: u32, stride: u32) -> u32 {
  let neutral = params.neutral;
  var at = first;
  var left = count;
  var total = neutral;
  while (left >= 16u) {
    var large = neutral;
    let after = left - min(left & 0xfffffff0u, 256u);
    while (left > after) {
      large = combine(large, sixteen(at, stride));
      at += 16u * stride;
      left -= 16u;
    }
    total = combine(total, large);
  }
  var rest = neutral;
  while (left >= 4u) {
    rest = combine(rest, four(at, stride));
    at += 4u * stride;
    left -= 4u;
  }
  while (left > 0u) {
    rest = combine(rest, load(at));
    at += stride;
    left -= 1u;
  }
  return combine(total, rest);
}

fn load4(at: u32) -> vec4u {
  let bits = source4[at];
  switch (PRE) {
    case 1u: {
      let v = bitcast<vec4f>(bits);
      return bitcast<vec4u>(v * v);
    }
    case 2u: {
      if (FLOAT) {
        return bits & vec4u(0x7fffffffu);
      }
      return bitcast<vec4u>(abs(bitcast<vec4i>(bits)));
    }
    default: {
      return bits;
    }
  }
}

fn areNan4(bits: vec4u) -> vec4<bool> {
  return (bits & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

fn largerFloat4(a: vec4u, b: vec4u) -> vec4u {
  return select(select(b, a, (bitcast<vec4f>(a) >= bitcast<vec4f>(b)) | areNan4(a)), b, areNan4(b));
}

fn smallerFloat4(a: vec4u, b: vec4u) -> vec4u {
  return select(select(b, a, (bitcast<vec4f>(a) <= bitcast<vec4f>(b)) | areNan4(a)), b, areNan4(b));
}

fn combine4(a: vec4u, b: vec4u) -> vec4u {
  switch (OP) {
    case 0u: {
      if (FLOAT) {
        return bitcast<vec4u>(bitcast<vec4f>(a) + bitcast<vec4f>(b));
      }
      return a + b;
    }
    case 1u: {
      if (FLOAT) {
        return bitcast<vec4u>(bitcast<vec4f>(a) * bitcast<vec4f>(b));
      }
      return a * b;
    }
    case 2u: {
      if (FLOAT) {
        return largerFloat4(a, b);
      }
      return bitcast<vec4u>(max(bitcast<vec4i>(a), bitcast<vec4i>(b)));
    }
    case 3u: {
      if (FLOAT) {
        return smallerFloat4(a, b);
      }
      return bitcast<vec4u>(min(bitcast<vec4i>(a), bitcast<vec4i>(b)));
    }
    case 4u: {
      return a & b;
    }
    default: {
      return a | b;
    }
  }
}

// Four elements that lie `stride` apart.
fn four4(at: u32, stride: u32) -> vec4u {
  let a = load4(at);
  let b = load4(at + stride);
  let c = load4(at + 2u * stride);
  let d = load4(at + 3u * stride);
  return combine4(combine4(a, b), combine4(c, d));
}

fn sixteen4(at: u32, stride: u32) -> vec4u {
  let a = four4(at, stride);
  let b = four4(at + 4u * stride, stride);
  let c = four4(at + 8u * stride, stride);
  let d = four4(at + 12u * stride, stride);
  return combine4(combine4(a, b), combine4(c, d));
}

// Combines `count` elements that lie `stride` apart, in blocks of 16 and superblocks of 256.
fn walk4(first: u32, count: u32, stride: u32) -> vec4u {
  let neutral = vec4u(params.neutral);
  var at = first;
  var left = count;
  var total = neutral;
  while (left >= 16u) {
    var large = neutral;
    let after = left - min(left & 0xfffffff0u, 256u);
    while (left > after) {
      large = combine4(large, sixteen4(at, stride));
      at += 16u * stride;
      left -= 16u;
    }
    total = combine4(total, large);
  }
  var rest = neutral;
  while (left >= 4u) {
    rest = combine4(rest, four4(at, stride));
    at += 4u * stride;
    left -= 4u;
  }
  while (left > 0u) {
    rest = combine4(rest, load4(at));
    at += stride;
    left -= 1u;
  }
  return combine4(total, rest);
}

fn rescale(bits: u32) -> u32 {
  if (SCALED) {
    return bitcast<u32>(bitcast<f32>(bits) * params.scale);
  }
  return bits;
}

@compute @workgroup_size(WORKGROUP)
fn reduceLane(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  let row = index / params.inner;
  let column = index - row * params.inner;
  let outer = row / params.parts;
  let start = (row - outer * params.parts) * params.chunk;
  let first = (outer * params.length + start) * params.inner + column;
  result[index] = rescale(walk(first, min(params.chunk, params.length - start), params.inner));
}

@compute @workgroup_size(WORKGROUP)
fn reduceGroup(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if (index >= params.count) {
    return;
  }
  let row = index / params.inner;
  let column = index - row * params.inner;
  let outer = row / params.parts;
  let start = (row - outer * params.parts) * params.chunk;
  let first = (outer * params.length + start + lane) * params.inner + column;
  let size = min(params.chunk, params.length - start);
  var count = 0u;
  if (lane < size) {
    count = (size - lane + WORKGROUP - 1u) / WORKGROUP;
  }
  partial[lane] = walk(first, count, params.inner * WORKGROUP);
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      partial[lane] = combine(partial[lane], partial[lane + half]);
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    result[index] = rescale(partial[0]);
  }
}

@compute @workgroup_size(WORKGROUP)
fn reduceRow(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  let outer = index / params.parts;
  let start = (index - outer * params.parts) * params.chunk;
  let size = min(params.chunk, params.length - start);
  let first = (outer * params.length + start) >> 2u;
  let quads = size >> 2u;
  var four = walk4(first, quads, 1u);
  let odd = size & 3u;
  if (odd > 0u) {
    let inside = vec4u(0u, 1u, 2u, 3u) < vec4u(odd);
    four = combine4(four, select(vec4u(params.neutral), load4(first + quads), inside));
  }
  result[index] = rescale(combine(combine(four.x, four.y), combine(four.z, four.w)));
}

@compute @workgroup_size(WORKGROUP)
fn reduceColumns(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (4u * index >= params.count) {
    return;
  }
  let inner = params.inner >> 2u;
  let row = index / inner;
  let column = index - row * inner;
  let outer = row / params.parts;
  let start = (row - outer * params.parts) * params.chunk;
  let four = walk4((outer * params.length + start) * inner + column, min(params.chunk, params.length - start), inner);
  result4[index] = vec4u(rescale(four.x), rescale(four.y), rescale(four.z), rescale(four.w));
}

// A reduction of nothing: every element of the result is the neutral element (vacant: `count` words).
@compute @workgroup_size(WORKGROUP)
fn reduceFill(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index < params.count) {
    vacant[index] = params.filled;
  }
}
