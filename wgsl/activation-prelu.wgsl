// A slope that is chosen by sign: out = x > 0 ? v : alpha v (SLOPE_SIDE false), or x > 0 ? 0 : alpha v (true).
//
//   binding 1   x      (4 count,)                      read
//   binding 2   v      (4 count,)                      read
//   binding 3   alpha  (any, broadcast to x's shape)   read
//   binding 4   out    (4 count,)                      `=`; one invocation owns four neighbours
//
// With v = x the first is PReLU, with v its gradient the derivative by x; the second, with v and alpha the gradient and x,
// is the derivative by alpha. `preluVectors` reads alpha in whole vec4s, `preluRuns` element by element. A NaN in x comes
// out as NaN; a slope of 0 makes 0 of an infinity.

override SLOPE_SIDE: bool = false;

struct Params {
  count: u32,
  rank: u32,
  unused0: u32,
  unused1: u32,
  axes: array<vec4u, 8>, // extent, multiplier and shift that divide by it, alpha's stride
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x4: array<vec4f>;
@group(0) @binding(2) var<storage, read> v4: array<vec4f>;
@group(0) @binding(3) var<storage, read> alpha: array<f32>;
@group(0) @binding(3) var<storage, read> alpha4: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> out4: array<vec4f>;

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

fn isNan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn stretchedAddress(index: u32) -> u32 {
  var rest = index;
  var address = 0u;
  for (var axis = params.rank; axis > 1u; axis--) {
    let own = params.axes[axis - 1u];
    let quotient = mulHigh(rest, own.y) >> own.z;
    address += (rest - quotient * own.x) * own.w;
    rest = quotient;
  }
  return address + rest * params.axes[0].w;
}

fn bySign(x: f32, v: f32, slope: f32) -> f32 {
  let sloped = select(slope * v, 0.0, slope == 0.0);
  let chosen = select(sloped, select(v, 0.0, SLOPE_SIDE), x > 0.0);
  return select(chosen, x, isNan(x));
}

fn bySigns(x: vec4f, v: vec4f, slope: vec4f) -> vec4f {
  return vec4f(
    bySign(x.x, v.x, slope.x),
    bySign(x.y, v.y, slope.y),
    bySign(x.z, v.z, slope.z),
    bySign(x.w, v.w, slope.w),
  );
}

@compute @workgroup_size(64)
fn preluVectors(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= params.count) { return; }
  out4[i] = bySigns(x4[i], v4[i], alpha4[stretchedAddress(4u * i) / 4u]);
}

@compute @workgroup_size(64)
fn preluRuns(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (group.x + group.y * groups.x) * 64u + lane;
  if (i >= params.count) { return; }
  let slopes = vec4f(
    alpha[stretchedAddress(4u * i)],
    alpha[stretchedAddress(4u * i + 1u)],
    alpha[stretchedAddress(4u * i + 2u)],
    alpha[stretchedAddress(4u * i + 3u)],
  );
  out4[i] = bySigns(x4[i], v4[i], slopes);
}
