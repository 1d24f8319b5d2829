// Max pooling over one to three spatial axes, its gradient, and the gradient of that.
//
//   maxPool   y[n, o, c] = max over t of x[n, o·stride − before + t, c], 0 ≤ t < size, where t stays inside the image
//             winners[n, o, c] = the t of the maximum in row-major order: the first of equals, the first NaN if there is one
//   unpool    dx[n, i, c] = Σ over the windows o that cover i of g[n, o, c] where winners[n, o, c] is i's place in o
//   pick      y[n, o, c] = x[n, o·stride − before + winners[n, o, c], c]
//
// x and dx are (N, D, H, W, C), y, g and winners (N, OD, OH, OW, C); fewer spatial axes are extents of 1 in front, which
// RANK folds away. All results are written with `=`. Padding is nowhere in memory: a window is cut at the image's edge.
//
//   maxPool4, largest4, unpool4, unpoolCells4   C is a multiple of four: an invocation owns four channels, of one window
//                                               (maxPool4; largest4, which writes no winners), of one place of dx (unpool4),
//                                               or of a cell of dx (unpoolCells4)
//   maxPool1, largest1, unpool1, unpoolCells1   any C: four neighbours of y (maxPool1, largest1), one channel (the others)
//   pick                                        an invocation owns one element of y
//
// Where windows do not overlap (size ≤ stride), the stretch of dx from o·stride − before to (o + 1)·stride − before is the
// cell of window o; its invocation loads g and the winner once. Cells behind the last window are zeros.
// Winners are bytes, four to a word, where a window has at most 256 elements (BYTES), else words.

override RANK: u32 = 3u;
override BYTES: bool = true;

// One spatial axis. `place`: the extent that invocations walk, a divider by it, and the extent of the other side.
// `window`: size, stride, before, and how far neighbours on the other side lie apart in memory. `divide`: a divider by the
// stride, and for unpoolCells how far neighbours of dx lie apart.
struct Axis {
  place: vec4u,
  window: vec4u,
  divide: vec4u,
}

struct Params {
  count: u32,              // invocations; maxPool1 and largest1: elements of y
  channels: u32,           // or groups of four of them
  channelsMultiplier: u32,
  channelsShift: u32,
  image: u32,              // elements (or groups) of one image on the other side
  ownImage: u32,           // unpoolCells: of one image of dx
  unused0: u32,
  unused1: u32,
  axes: array<Axis, 3>,    // depth, height, width
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> x4: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> y4: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> newWinners: array<u32>;

@group(0) @binding(2) var<storage, read> winners: array<u32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;
@group(0) @binding(3) var<storage, read_write> result4: array<vec4f>;

// No tap has this number.
const NONE = 0xffffffffu;

fn isNan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn isNan4(v: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

fn infF32() -> f32 {
  var bits = 0x7f800000u;
  return bitcast<f32>(bits);
}

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

// ⌊n / d⌋ for n < 2³⁰ and d ≥ 1; multiplier and shift are those of 2d.
fn quotient(n: u32, multiplier: u32, shift: u32) -> u32 {
  return mulHigh(n + n, multiplier) >> shift;
}

// Where an invocation works: its channel (or group of four), its place on the spatial axes, and its image.
struct Place {
  channel: u32,
  at: vec3u,
  image: u32,
}

fn spatialPlace(index: u32) -> Place {
  var rest = quotient(index, params.channelsMultiplier, params.channelsShift);
  let channel = index - rest * params.channels;
  var at = vec3u(0u);
  let width = params.axes[2].place;
  var outer = quotient(rest, width.y, width.z);
  at.z = rest - outer * width.x;
  rest = outer;
  if (RANK > 1u) {
    let height = params.axes[1].place;
    outer = quotient(rest, height.y, height.z);
    at.y = rest - outer * height.x;
    rest = outer;
  }
  if (RANK > 2u) {
    let depth = params.axes[0].place;
    outer = quotient(rest, depth.y, depth.z);
    at.x = rest - outer * depth.x;
    rest = outer;
  }
  return Place(channel, at, rest);
}

// A stretch of an axis: the elements from `low` to before `high` (from `low` to before `low` there is none).
struct Stretch {
  low: u32,
  high: u32,
  start: u32,  // where the window starts; two's complement
}

// The elements of window o inside the image.
fn windowOf(o: u32, axis: u32) -> Stretch {
  let window = params.axes[axis].window;
  let start = i32(o * window.y) - i32(window.z);
  let extent = i32(params.axes[axis].place.w);
  return Stretch(u32(max(start, 0)), u32(min(start + i32(window.x), extent)), u32(start));
}

// The windows that cover element i.
fn windowsOver(i: u32, axis: u32) -> Stretch {
  let window = params.axes[axis].window;
  let divide = params.axes[axis].divide;
  let place = i + window.z;
  let low = quotient(u32(max(i32(place + window.y) - i32(window.x), 0)), divide.x, divide.y);
  let high = min(quotient(place, divide.x, divide.y) + 1u, params.axes[axis].place.w);
  return Stretch(low, high, 0u);
}

// The largest element so far, its number in the window, and whether it is a NaN, which no later one replaces.
struct Largest4 {
  value: vec4f,
  winner: vec4u,
  settled: vec4<bool>,
}

fn larger4(best: Largest4, v: vec4f, tap: u32) -> Largest4 {
  let nan = isNan4(v);
  let better = (nan | (v > best.value)) & !best.settled;
  return Largest4(select(best.value, v, better), select(best.winner, vec4u(tap), better), best.settled | nan);
}

fn largestOfRow4(before: Largest4, start: u32, firstTap: u32, count: u32, step: u32) -> Largest4 {
  var best = before;
  var address = start;
  for (var i = 0u; i < count; i++) {
    best = larger4(best, x4[address], firstTap + i);
    address += step;
  }
  return best;
}

fn largestOfPlane4(before: Largest4, start: u32, firstTap: u32, height: Stretch, width: Stretch) -> Largest4 {
  let count = width.high - width.low;
  let step = params.axes[2].window.w;
  if (RANK == 1u) { return largestOfRow4(before, start, firstTap, count, step); }
  let rowStep = params.axes[1].window.w;
  let rowTaps = params.axes[2].window.x;
  var best = before;
  var address = start;
  var tap = firstTap;
  for (var h = height.low; h < height.high; h++) {
    best = largestOfRow4(best, address, tap, count, step);
    address += rowStep;
    tap += rowTaps;
  }
  return best;
}

fn largestIn4(index: u32) -> Largest4 {
  let place = spatialPlace(index);
  let width = windowOf(place.at.z, 2u);
  var start = place.image * params.image + place.channel + width.low * params.axes[2].window.w;
  var tap = width.low - width.start;
  var height = Stretch(0u, 1u, 0u);
  if (RANK > 1u) {
    height = windowOf(place.at.y, 1u);
    start += height.low * params.axes[1].window.w;
    tap += (height.low - height.start) * params.axes[2].window.x;
  }
  var depth = Stretch(0u, 1u, 0u);
  var slice = 0u;
  if (RANK > 2u) {
    depth = windowOf(place.at.x, 0u);
    slice = params.axes[1].window.x * params.axes[2].window.x;
    start += depth.low * params.axes[0].window.w;
    tap += (depth.low - depth.start) * slice;
  }
  // Nothing exceeds −∞, so a window of nothing else keeps its first element.
  var best = Largest4(vec4f(-infF32()), vec4u(tap), vec4<bool>(false));
  if (RANK < 3u) { return largestOfPlane4(best, start, tap, height, width); }
  for (var d = depth.low; d < depth.high; d++) {
    best = largestOfPlane4(best, start, tap, height, width);
    start += params.axes[0].window.w;
    tap += slice;
  }
  return best;
}

struct Largest {
  value: f32,
  winner: u32,
  settled: bool,
}

fn winner(best: Largest, v: f32, tap: u32) -> Largest {
  let nan = isNan(v);
  let better = (nan | (v > best.value)) & !best.settled;
  return Largest(select(best.value, v, better), select(best.winner, tap, better), best.settled | nan);
}

fn largestOfRow(before: Largest, start: u32, firstTap: u32, count: u32, step: u32) -> Largest {
  var best = before;
  var address = start;
  for (var i = 0u; i < count; i++) {
    best = winner(best, x[address], firstTap + i);
    address += step;
  }
  return best;
}

fn largestOfPlane(before: Largest, start: u32, firstTap: u32, height: Stretch, width: Stretch) -> Largest {
  let count = width.high - width.low;
  let step = params.axes[2].window.w;
  if (RANK == 1u) { return largestOfRow(before, start, firstTap, count, step); }
  let rowStep = params.axes[1].window.w;
  let rowTaps = params.axes[2].window.x;
  var best = before;
  var address = start;
  var tap = firstTap;
  for (var h = height.low; h < height.high; h++) {
    best = largestOfRow(best, address, tap, count, step);
    address += rowStep;
    tap += rowTaps;
  }
  return best;
}

fn largestIn(index: u32) -> Largest {
  let place = spatialPlace(index);
  let width = windowOf(place.at.z, 2u);
  var start = place.image * params.image + place.channel + width.low * params.axes[2].window.w;
  var tap = width.low - width.start;
  var height = Stretch(0u, 1u, 0u);
  if (RANK > 1u) {
    height = windowOf(place.at.y, 1u);
    start += height.low * params.axes[1].window.w;
    tap += (height.low - height.start) * params.axes[2].window.x;
  }
  var depth = Stretch(0u, 1u, 0u);
  var slice = 0u;
  if (RANK > 2u) {
    depth = windowOf(place.at.x, 0u);
    slice = params.axes[1].window.x * params.axes[2].window.x;
    start += depth.low * params.axes[0].window.w;
    tap += (depth.low - depth.start) * slice;
  }
  var best = Largest(-infF32(), tap, false);
  if (RANK < 3u) { return largestOfPlane(best, start, tap, height, width); }
  for (var d = depth.low; d < depth.high; d++) {
    best = largestOfPlane(best, start, tap, height, width);
    start += params.axes[0].window.w;
    tap += slice;
  }
  return best;
}

@compute @workgroup_size(64)
fn maxPool4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let largest = largestIn4(index);
  y4[index] = largest.value;
  let winner = largest.winner;
  if (BYTES) {
    newWinners[index] = winner.x | (winner.y << 8u) | (winner.z << 16u) | (winner.w << 24u);
  } else {
    newWinners[4u * index] = winner.x;
    newWinners[4u * index + 1u] = winner.y;
    newWinners[4u * index + 2u] = winner.z;
    newWinners[4u * index + 3u] = winner.w;
  }
}

@compute @workgroup_size(64)
fn largest4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  y4[index] = largestIn4(index).value;
}

@compute @workgroup_size(64)
fn maxPool1(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = 4u * ((group.x + group.y * groups.x) * 64u + lane);
  if (first >= params.count) { return; }
  var word = 0u;
  for (var index = first; index < min(first + 4u, params.count); index++) {
    let largest = largestIn(index);
    y[index] = largest.value;
    if (BYTES) { word |= largest.winner << (8u * (index & 3u)); } else { newWinners[index] = largest.winner; }
  }
  if (BYTES) { newWinners[first >> 2u] = word; }
}

@compute @workgroup_size(64)
fn largest1(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = 4u * ((group.x + group.y * groups.x) * 64u + lane);
  for (var index = first; index < min(first + 4u, params.count); index++) { y[index] = largestIn(index).value; }
}

fn winnerAt(index: u32) -> u32 {
  if (BYTES) { return (winners[index >> 2u] >> (8u * (index & 3u))) & 0xffu; }
  return winners[index];
}

fn winnersAt(index: u32) -> vec4u {
  if (BYTES) { return (vec4u(winners[index]) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(0xffu); }
  let first = 4u * index;
  return vec4u(winners[first], winners[first + 1u], winners[first + 2u], winners[first + 3u]);
}

@compute @workgroup_size(64)
fn unpool4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let place = spatialPlace(index);
  var depth = Stretch(0u, 1u, 0u);
  if (RANK > 2u) { depth = windowsOver(place.at.x, 0u); }
  var height = Stretch(0u, 1u, 0u);
  if (RANK > 1u) { height = windowsOver(place.at.y, 1u); }
  let width = windowsOver(place.at.z, 2u);
  let window = array(params.axes[0].window, params.axes[1].window, params.axes[2].window);
  let origin = place.image * params.image + place.channel;
  var sum = vec4f(0.0);
  for (var d = depth.low; d < depth.high; d++) {
    for (var h = height.low; h < height.high; h++) {
      let row = (place.at.x + window[0].z - d * window[0].y) * window[1].x + place.at.y + window[1].z - h * window[1].y;
      var tap = row * window[2].x + place.at.z + window[2].z - width.low * window[2].y;
      var address = origin + d * window[0].w + h * window[1].w + width.low * window[2].w;
      for (var w = width.low; w < width.high; w++) {
        sum += select(vec4f(0.0), x4[address], winnersAt(address) == vec4u(tap));
        tap -= window[2].y;
        address += window[2].w;
      }
    }
  }
  result4[index] = sum;
}

@compute @workgroup_size(64)
fn unpool1(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let place = spatialPlace(index);
  var depth = Stretch(0u, 1u, 0u);
  if (RANK > 2u) { depth = windowsOver(place.at.x, 0u); }
  var height = Stretch(0u, 1u, 0u);
  if (RANK > 1u) { height = windowsOver(place.at.y, 1u); }
  let width = windowsOver(place.at.z, 2u);
  let window = array(params.axes[0].window, params.axes[1].window, params.axes[2].window);
  let origin = place.image * params.image + place.channel;
  var sum = 0.0;
  for (var d = depth.low; d < depth.high; d++) {
    for (var h = height.low; h < height.high; h++) {
      let row = (place.at.x + window[0].z - d * window[0].y) * window[1].x + place.at.y + window[1].z - h * window[1].y;
      var tap = row * window[2].x + place.at.z + window[2].z - width.low * window[2].y;
      var address = origin + d * window[0].w + h * window[1].w + width.low * window[2].w;
      for (var w = width.low; w < width.high; w++) {
        sum += select(0.0, x[address], winnerAt(address) == tap);
        tap -= window[2].y;
        address += window[2].w;
      }
    }
  }
  result[index] = sum;
}

// The elements of cell o inside the image; `start` as in a window.
fn cellOf(o: u32, axis: u32) -> Stretch {
  let window = params.axes[axis].window;
  let start = i32(o * window.y) - i32(window.z);
  let extent = i32(params.axes[axis].divide.w);
  return Stretch(u32(max(start, 0)), u32(min(start + i32(window.y), extent)), u32(start));
}

@compute @workgroup_size(64)
fn unpoolCells4(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let place = spatialPlace(index);
  var depth = Stretch(0u, 1u, 0u);
  if (RANK > 2u) { depth = cellOf(place.at.x, 0u); }
  var height = Stretch(0u, 1u, 0u);
  if (RANK > 1u) { height = cellOf(place.at.y, 1u); }
  let width = cellOf(place.at.z, 2u);
  let window = array(params.axes[0].window, params.axes[1].window, params.axes[2].window);
  var g = vec4f(0.0);
  var winner = vec4u(NONE);
  let windows = vec3u(params.axes[0].place.w, params.axes[1].place.w, params.axes[2].place.w);
  if (all(place.at < windows)) {
    let source = place.image * params.image + place.channel
      + place.at.x * window[0].w + place.at.y * window[1].w + place.at.z * window[2].w;
    g = x4[source];
    winner = winnersAt(source);
  }
  let step = vec3u(params.axes[0].divide.z, params.axes[1].divide.z, params.axes[2].divide.z);
  let origin = place.image * params.ownImage + place.channel + width.low * step.z;
  for (var d = depth.low; d < depth.high; d++) {
    let inDepth = d - depth.start < window[0].x;
    for (var h = height.low; h < height.high; h++) {
      let inRow = inDepth & (h - height.start < window[1].x);
      var tap = ((d - depth.start) * window[1].x + h - height.start) * window[2].x + width.low - width.start;
      var address = origin + d * step.x + h * step.y;
      for (var w = width.low; w < width.high; w++) {
        let inside = inRow & (w - width.start < window[2].x);
        result4[address] = select(vec4f(0.0), g, (winner == vec4u(tap)) & vec4<bool>(inside));
        tap++;
        address += step.z;
      }
    }
  }
}

@compute @workgroup_size(64)
fn unpoolCells1(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let place = spatialPlace(index);
  var depth = Stretch(0u, 1u, 0u);
  if (RANK > 2u) { depth = cellOf(place.at.x, 0u); }
  var height = Stretch(0u, 1u, 0u);
  if (RANK > 1u) { height = cellOf(place.at.y, 1u); }
  let width = cellOf(place.at.z, 2u);
  let window = array(params.axes[0].window, params.axes[1].window, params.axes[2].window);
  var g = 0.0;
  var winner = NONE;
  let windows = vec3u(params.axes[0].place.w, params.axes[1].place.w, params.axes[2].place.w);
  if (all(place.at < windows)) {
    let source = place.image * params.image + place.channel
      + place.at.x * window[0].w + place.at.y * window[1].w + place.at.z * window[2].w;
    g = x[source];
    winner = winnerAt(source);
  }
  let step = vec3u(params.axes[0].divide.z, params.axes[1].divide.z, params.axes[2].divide.z);
  let origin = place.image * params.ownImage + place.channel + width.low * step.z;
  for (var d = depth.low; d < depth.high; d++) {
    let inDepth = d - depth.start < window[0].x;
    for (var h = height.low; h < height.high; h++) {
      let inRow = inDepth & (h - height.start < window[1].x);
      var tap = ((d - depth.start) * window[1].x + h - height.start) * window[2].x + width.low - width.start;
      var address = origin + d * step.x + h * step.y;
      for (var w = width.low; w < width.high; w++) {
        let inside = inRow & (w - width.start < window[2].x);
        result[address] = select(0.0, g, (winner == tap) & inside);
        tap++;
        address += step.z;
      }
    }
  }
}

@compute @workgroup_size(64)
fn pick(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let index = (group.x + group.y * groups.x) * 64u + lane;
  if (index >= params.count) { return; }
  let place = spatialPlace(index);
  let window = array(params.axes[0].window, params.axes[1].window, params.axes[2].window);
  let tap = winnerAt(index);
  let row = tap / window[2].x;
  let slice = row / window[1].x;
  let d = place.at.x * window[0].y - window[0].z + slice;
  let h = place.at.y * window[1].y - window[1].z + row - slice * window[1].x;
  let w = place.at.z * window[2].y - window[2].z + tap - row * window[2].x;
  let origin = place.image * params.image + place.channel;
  result[index] = x[origin + d * window[0].w + h * window[1].w + w * window[2].w];
}
