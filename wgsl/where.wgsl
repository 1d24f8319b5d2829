// out[i] = condition ≠ 0 ? a : b, with NumPy's broadcasting, for any dtype of 32-bit words.
//
//   condition  (any, broadcast to out)  read, bool words
//   a, b       (any, broadcast to out)  read
//   out        (count,)                 one invocation owns one element, `=`

struct Params {
  count: u32,
  rank: u32,
  unused0: u32,
  unused1: u32,
  extent: array<vec4u, 2>,
  multiplier: array<vec4u, 2>,
  shift: array<vec4u, 2>,
  strideCondition: array<vec4u, 2>,
  strideA: array<vec4u, 2>,
  strideB: array<vec4u, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> condition: array<u32>;
@group(0) @binding(2) var<storage, read> a: array<u32>;
@group(0) @binding(3) var<storage, read> b: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<u32>;

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

@compute @workgroup_size(64)
fn choose(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  var rest = index;
  var addressCondition = 0u;
  var addressA = 0u;
  var addressB = 0u;
  for (var axis = params.rank; axis > 1u; axis--) {
    let row = (axis - 1u) >> 2u;
    let part = (axis - 1u) & 3u;
    let quotient = mulHigh(rest, params.multiplier[row][part]) >> params.shift[row][part];
    let coordinate = rest - quotient * params.extent[row][part];
    addressCondition += coordinate * params.strideCondition[row][part];
    addressA += coordinate * params.strideA[row][part];
    addressB += coordinate * params.strideB[row][part];
    rest = quotient;
  }
  let yes = a[addressA + rest * params.strideA[0][0]];
  let no = b[addressB + rest * params.strideB[0][0]];
  out[index] = select(no, yes, condition[addressCondition + rest * params.strideCondition[0][0]] != 0u);
}
