// Position of the largest or smallest element along one axis: out[o, i] = argmax over r of in[o, r, i]
//
//   source  (outer, length, inner)  float32 or int32 as 32-bit words, length ≥ 1
//   result  (outer, inner)          int32
//
// Ties go to the first position; the first NaN wins over every number. Each element of `result` is written (`=`)
// by one invocation (argLane), or by invocation 0 of one workgroup (argGroup). Elements are compared through a
// 32-bit key that grows in the order of preference, so that the two ops and dtypes share one loop.

override SMALLEST: bool = false;
override FLOAT: bool = true;
override WORKGROUP: u32 = 64u;

struct Params {
  count: u32,   // outer · inner
  length: u32,
  inner: u32,
  pad: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<i32>;

struct Best {
  key: u32,
  at: u32,
}

var<workgroup> keys: array<u32, WORKGROUP>;
var<workgroup> positions: array<u32, WORKGROUP>;

// Unsigned integers in the order of the elements; -0 equals +0, NaN is the largest key in either direction.
fn keyOf(bits: u32) -> u32 {
  var key = bits ^ 0x80000000u;
  if (FLOAT) {
    let magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
      return 0xffffffffu;
    }
    key = select(0x80000000u + magnitude, 0x80000000u - magnitude, (bits & 0x80000000u) != 0u);
  }
  return select(key, ~key, SMALLEST);
}

// The best of the elements lane, lane + step, lane + 2·step …; a lane without elements has the last position.
fn bestOf(first: u32, lane: u32, step: u32) -> Best {
  var best = Best(0u, 0xffffffffu);
  for (var r = lane; r < params.length; r += step) {
    let key = keyOf(source[first + r * params.inner]);
    if (key > best.key || best.at == 0xffffffffu) {
      best = Best(key, r);
    }
  }
  return best;
}

@compute @workgroup_size(WORKGROUP)
fn argLane(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * WORKGROUP + lane;
  if (index >= params.count) {
    return;
  }
  let outer = index / params.inner;
  let column = index - outer * params.inner;
  result[index] = i32(bestOf(outer * params.length * params.inner + column, 0u, 1u).at);
}

@compute @workgroup_size(WORKGROUP)
fn argGroup(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = group.x + group.y * groups.x;
  if (index >= params.count) {
    return;
  }
  let outer = index / params.inner;
  let column = index - outer * params.inner;
  let own = bestOf(outer * params.length * params.inner + column, lane, WORKGROUP);
  keys[lane] = own.key;
  positions[lane] = own.at;
  workgroupBarrier();
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      let key = keys[lane + half];
      let at = positions[lane + half];
      if (key > keys[lane] || (key == keys[lane] && at < positions[lane])) {
        keys[lane] = key;
        positions[lane] = at;
      }
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    result[index] = i32(positions[0]);
  }
}
