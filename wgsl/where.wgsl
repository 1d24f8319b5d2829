// out[i] = condition ≠ 0 ? a : b, with NumPy's broadcasting, for any dtype of 32-bit words.
//
//   condition  (any, broadcast to out)  read, bool words
//   a, b       (any, broadcast to out)  read
//   out        (4 count,)               `=`; one invocation owns four neighbours (chooseRuns; chooseRows, where the last
//                                       extent is a multiple of four; chooseSame, where nothing but a single a or b is
//                                       stretched), or four in each quarter of the output (chooseSame, QUARTERS)
//
// `count` counts invocations.

override QUARTERS: bool = false;
override ONE_A: bool = false;    // chooseSame: a is a single element
override ONE_B: bool = false;

// What divides by an axis' extent (extent, multiplier, shift), and its strides for each operand.
struct Axis {
  divide: vec4u,
  strides: vec4u,
}

struct Params {
  count: u32,
  rank: u32,
  quarter: u32,                  // chooseSame: vectors from one quarter of the output to the next
  unused: u32,
  last: vec4u,                   // strides of the last axis: condition, a, b
  first: vec4u,                  // of the outermost axis
  axes: array<Axis, 7>,          // the others
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> condition: array<u32>;
@group(0) @binding(2) var<storage, read> a: array<u32>;
@group(0) @binding(3) var<storage, read> b: array<u32>;
@group(0) @binding(1) var<storage, read> condition4: array<vec4u>;
@group(0) @binding(2) var<storage, read> a4: array<vec4u>;
@group(0) @binding(3) var<storage, read> b4: array<vec4u>;
@group(0) @binding(4) var<storage, read_write> out4: array<vec4u>;

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

// Where an output's coordinates lead in the condition (x), in a (y) and in b (z).
fn whereAddresses(index: u32) -> vec3u {
  var rest = index;
  var address = vec3u(0u);
  for (var axis = params.rank; axis > 1u; axis--) {
    let divide = params.axes[axis - 2u].divide;
    let quotient = mulHigh(rest, divide.y) >> divide.z;
    address += (rest - quotient * divide.x) * params.axes[axis - 2u].strides.xyz;
    rest = quotient;
  }
  return address + rest * params.first.xyz;
}

fn chooseFour(c: vec4u, i: vec4u, j: vec4u) -> vec4u {
  let yes = vec4u(a[i.x], a[i.y], a[i.z], a[i.w]);
  let no = vec4u(b[j.x], b[j.y], b[j.z], b[j.w]);
  return select(no, yes, vec4u(condition[c.x], condition[c.y], condition[c.z], condition[c.w]) != vec4u(0u));
}

// Four neighbours where rows end at any element: a step of the last axis, or, where a row ends, a new address.
@compute @workgroup_size(64)
fn chooseRuns(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let first = 4u * index;
  var turns = vec4<bool>(false);
  if (params.rank > 1u) {
    let divide = params.axes[params.rank - 2u].divide;
    let place = first - (mulHigh(first, divide.y) >> divide.z) * divide.x + vec4u(0u, 1u, 2u, 3u);
    turns = (place == vec4u(divide.x)) | (place == vec4u(2u * divide.x));
  }
  let p0 = whereAddresses(first);
  var p1 = p0 + params.last.xyz;
  if (turns.y) { p1 = whereAddresses(first + 1u); }
  var p2 = p1 + params.last.xyz;
  if (turns.z) { p2 = whereAddresses(first + 2u); }
  var p3 = p2 + params.last.xyz;
  if (turns.w) { p3 = whereAddresses(first + 3u); }
  out4[index] = chooseFour(
    vec4u(p0.x, p1.x, p2.x, p3.x),
    vec4u(p0.y, p1.y, p2.y, p3.y),
    vec4u(p0.z, p1.z, p2.z, p3.z),
  );
}

@compute @workgroup_size(64)
fn chooseRows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let address = whereAddresses(4u * index);
  let c = address.x + params.last.x * vec4u(0u, 1u, 2u, 3u);
  let i = address.y + params.last.y * vec4u(0u, 1u, 2u, 3u);
  let j = address.z + params.last.z * vec4u(0u, 1u, 2u, 3u);
  out4[index] = chooseFour(c, i, j);
}

fn chooseVector(index: u32) -> vec4u {
  var yes: vec4u;
  if (ONE_A) { yes = vec4u(a4[0].x); } else { yes = a4[index]; }
  var no: vec4u;
  if (ONE_B) { no = vec4u(b4[0].x); } else { no = b4[index]; }
  return select(no, yes, condition4[index] != vec4u(0u));
}

@compute @workgroup_size(64)
fn chooseSame(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  out4[index] = chooseVector(index);
  if (QUARTERS) {
    let i = index + params.quarter * vec3u(1u, 2u, 3u);
    let second = chooseVector(i.x);
    let third = chooseVector(i.y);
    let fourth = chooseVector(i.z);
    out4[i.x] = second;
    out4[i.y] = third;
    out4[i.z] = fourth;
  }
}
