// Reduction over one run of axes: out[o, p, i] = combine over r in part p of pre(in[o, r, i])
//
//   source  (outer, length, inner)  float32, int32 or bool as 32-bit words
//   result  (outer, parts, inner)   the same dtype; part p covers r in [p·chunk, min((p+1)·chunk, length))
//
// The last stage has one part. Each element of `result` is written (`=`) by one invocation (reduceLane), or by
// invocation 0 of one workgroup (reduceGroup). Additions are blocked, 16 into a block (a tree, written out: software
// is slow in loops), 16 blocks into a superblock, so that the rounding error does not grow with the full length; the
// order is fixed, so the same input gives the same bits.

override OP: u32 = 0u;     // 0 sum, 1 product of integers, 2 max, 3 min, 4 all, 5 any
override PRE: u32 = 0u;    // 0 as it is, 1 square, 2 absolute value
override FLOAT: bool = true;
override SCALED: bool = false;
override WORKGROUP: u32 = 64u;

struct Params {
  count: u32,      // outer · parts · inner
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
fn block4(at: u32, stride: u32) -> u32 {
  let a = load(at);
  let b = load(at + stride);
  let c = load(at + 2u * stride);
  let d = load(at + 3u * stride);
  return combine(combine(a, b), combine(c, d));
}

fn block16(at: u32, stride: u32) -> u32 {
  let a = block4(at, stride);
  let b = block4(at + 4u * stride, stride);
  let c = block4(at + 8u * stride, stride);
  let d = block4(at + 12u * stride, stride);
  return combine(combine(a, b), combine(c, d));
}

// Combines `count` elements that lie `stride` apart, in blocks of 16 and superblocks of 256, in one loop rather than two.
// In the last four the last element is read in place of what is missing, and not used.
fn walk(first: u32, count: u32, stride: u32) -> u32 {
  let neutral = params.neutral;
  var at = first;
  var left = count;
  var total = neutral;
  var large = neutral;
  while (left >= 16u) {
    large = combine(large, block16(at, stride));
    at += 16u * stride;
    left -= 16u;
    let ends = (left & 0xf0u) == 0u;
    total = select(total, combine(total, large), ends);
    large = select(large, neutral, ends);
  }
  while (left > 0u) {
    let k = min(vec4u(0u, 1u, 2u, 3u), vec4u(left - 1u)) * stride;
    let a = load(at);
    let b = select(neutral, load(at + k.y), left > 1u);
    let c = select(neutral, load(at + k.z), left > 2u);
    let d = select(neutral, load(at + k.w), left > 3u);
    large = combine(large, combine(combine(a, b), combine(c, d)));
    at += 4u * stride;
    left -= min(left, 4u);
  }
  return combine(total, large);
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
