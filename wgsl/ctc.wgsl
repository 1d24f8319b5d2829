// Connectionist temporal classification (Graves, Fernández, Gomez, Schmidhuber 2006) of one sample per workgroup, in log
// space. The path symbols are l' = blank, l_1, blank, …, l_n, blank (2 n + 1 of them); lp is log y.
//
//   ctc          alpha[b, t, k] = lp[b, t, l'_k] + log Σ over j in {k, k-1, (k-2)} of exp alpha[b, t-1, j]
//                losses[b]      = -log (exp alpha[b, T-1, 2n] + exp alpha[b, T-1, 2n-1])
//   ctcGradient  dlp[b, t, c]   = -g[b] Σ over k with l'_k = c of exp(alpha[b, t, k] + beta[b, t, k] + losses[b])
//                beta[b, t, k]  = log Σ over j in {k, k+1, (k+2)} of exp(beta[b, t+1, j] + lp[b, t+1, l'_j])
//
// where k ± 2 counts only between different labels, and T and n are the sample's own lengths.
//
//   lp      (batch, steps, classes)          log-probabilities, float32
//   labels  (batch, width)                   int32; those from the sample's n on are padding
//   lengths (2, batch)                       int32: T for each sample, then n
//   errors  (4,)                             the device's error record, for labels and lengths out of range
//   alpha   (batch, steps, 2 width + 1)      -inf beyond T and 2 n + 1
//   losses  (batch,)                         inf (or 0, which makes the gradient 0) where no alignment exists; NaN for
//                                            what was reported, and then the gradient is NaN, unless g is 0
//   g       (batch,)
//   scratch (batch, 4, 2 width + 1) words: two rows of beta and two of the exponentials, for this step and the one before;
//           (batch, width) words: the next place of the same label, with the top bit set if there is an earlier one
//   dlp     (batch, steps, classes)
//
// The lanes of a workgroup share the symbols of a step and wait for each other once per step. All outputs with `=`.

override WORKGROUP: u32 = 64u;

struct Params {
  batch: u32,
  steps: u32,
  classes: u32,
  width: u32,
  blank: u32,
  op: u32,        // the op's number in the error record
  forgive: u32,   // 1: where no alignment exists the loss is 0
  unused1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> lp: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<i32>;
@group(0) @binding(3) var<storage, read> lengths: array<i32>;
@group(0) @binding(4) var<storage, read_write> errors: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> alpha: array<f32>;
@group(0) @binding(6) var<storage, read_write> losses: array<f32>;

@group(0) @binding(4) var<storage, read> alphaIn: array<f32>;
@group(0) @binding(5) var<storage, read> lossesIn: array<f32>;
@group(0) @binding(6) var<storage, read> g: array<f32>;
@group(0) @binding(7) var<storage, read_write> scratch: array<u32>;
@group(0) @binding(8) var<storage, read_write> dlp: array<f32>;

const NO_WRAP = 0x80000000u;
const EARLIER = 0x80000000u;

fn isNan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn infF32() -> f32 {
  var bits = 0x7f800000u;
  return bitcast<f32>(bits);
}

fn nanF32() -> f32 {
  var bits = 0x7fc00000u;
  return bitcast<f32>(bits);
}

// 2^e for -126 <= e <= 127.
fn exp2Int(e: i32) -> f32 {
  return bitcast<f32>(u32(e + 127) << 23u);
}

// exp(r) - 1 for |r| <= ln 2 / 2.
fn expm1Small(r: f32) -> f32 {
  var p = fma(1.9875691500e-4, r, 1.3981999507e-3);
  p = fma(p, r, 8.3334519073e-3);
  p = fma(p, r, 4.1665795894e-2);
  p = fma(p, r, 1.6666665459e-1);
  p = fma(p, r, 5.0000001201e-1);
  return fma(p, r * r, r);
}

// v - k ln 2 in two steps, of which the first is exact. The max changes nothing: it keeps drivers (Mesa) from merging
// the two products into one by k * (a + b), which costs 5 bits.
fn reduceLn2(v: f32, k: f32) -> f32 {
  return fma(k, 2.12194440e-4, max(fma(k, -0.693359375, v), -1.0e9));
}

// exp(v) * 2^shift: v = k ln 2 + r, and 2^(k + shift) in two factors, so that only the result over- or underflows.
fn expScaled(v: f32, shift: i32) -> f32 {
  let x = clamp(v, -104.0, 90.0);
  let k = round(x * 1.44269504);
  let r = reduceLn2(x, k);
  let e = i32(k) + shift;
  let half = e >> 1u;
  let scaled = (1.0 + expm1Small(r)) * exp2Int(half) * exp2Int(e - half);
  return select(scaled, v, isNan(v));
}

fn expF32(v: f32) -> f32 {
  return expScaled(v, 0);
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

fn logF32(v: f32) -> f32 {
  if (isNan(v)) { return v; }
  if (v < 0.0) { return nanF32(); }
  if (bitcast<u32>(v) == 0x7f800000u) { return v; }
  let tiny = v < 1.17549435e-38;
  let bits = bitcast<u32>(select(v, v * 8388608.0, tiny));
  if ((bits & 0x7fffffffu) < 0x00800000u) { return -infF32(); }
  // The mantissa is taken from [sqrt(1/2), sqrt(2)): 0x3f3504f3 is sqrt(1/2).
  let shifted = bits - 0x3f3504f3u;
  let e = bitcast<i32>(shifted) >> 23u;
  let m = bitcast<f32>((shifted & 0x007fffffu) + 0x3f3504f3u);
  return logCore(m - 1.0, f32(e) - select(0.0, 23.0, tiny));
}

// Keeps the first offence of all.
fn reportIndex(position: u32, value: i32, limit: u32) {
  if (params.op == 0u) {
    return;
  }
  var claim = atomicCompareExchangeWeak(&errors[0], 0u, params.op);
  while (!claim.exchanged && claim.old_value == 0u) {
    claim = atomicCompareExchangeWeak(&errors[0], 0u, params.op);
  }
  if (claim.exchanged) {
    atomicStore(&errors[1], position);
    atomicStore(&errors[2], bitcast<u32>(value));
    atomicStore(&errors[3], limit);
  }
}

// Log Σ exp of three numbers of which some may be -inf, but none inf.
fn logSumExp3(a: f32, b: f32, c: f32) -> f32 {
  let m = max(max(a, b), c);
  if (isNan(a) || isNan(b) || isNan(c)) { return nanF32(); }
  if (m < -3.4e38) { return m; }
  return m + logF32(expF32(a - m) + expF32(b - m) + expF32(c - m));
}

// The class of symbol k of sample b.
fn symbol(b: u32, k: u32) -> u32 {
  if ((k & 1u) == 0u) { return params.blank; }
  return min(bitcast<u32>(labels[b * params.width + (k >> 1u)]), params.classes - 1u);
}

// Whether a path may go from symbol k - 2 straight to k.
fn leaps(b: u32, k: u32) -> bool {
  if ((k & 1u) == 0u || k < 3u) { return false; }
  let at = b * params.width + (k >> 1u);
  return labels[at] != labels[at - 1u];
}

// The lengths of a sample, cut to what there is, and whether they and the labels are in range.
struct Sample {
  steps: u32,
  symbols: u32,
  valid: bool,
}

fn sampleOf(b: u32) -> Sample {
  let steps = lengths[b];
  let width = lengths[params.batch + b];
  var valid = steps >= 0 && u32(steps) <= params.steps && width >= 0 && u32(width) <= params.width;
  let n = min(u32(max(width, 0)), params.width);
  for (var j = 0u; j < n; j++) {
    let label = labels[b * params.width + j];
    valid = valid && label >= 0 && u32(label) < params.classes;
  }
  return Sample(min(u32(max(steps, 0)), params.steps), 2u * n + 1u, valid);
}

fn reportSample(b: u32) {
  let steps = lengths[b];
  if (steps < 0 || u32(steps) > params.steps) {
    reportIndex(b, steps, (params.steps + 1u) | NO_WRAP);
  }
  let width = lengths[params.batch + b];
  if (width < 0 || u32(width) > params.width) {
    reportIndex(b, width, (params.width + 1u) | NO_WRAP);
  }
  for (var j = 0u; j < min(u32(max(width, 0)), params.width); j++) {
    let at = b * params.width + j;
    if (labels[at] < 0 || u32(labels[at]) >= params.classes) {
      reportIndex(at, labels[at], params.classes | NO_WRAP);
    }
  }
}

@compute @workgroup_size(WORKGROUP)
fn ctc(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let b = group.x + group.y * groups.x;
  if (b >= params.batch) {
    return;
  }
  let sample = sampleOf(b);
  let symbols = 2u * params.width + 1u;
  let first = b * params.steps * symbols;
  for (var t = 0u; t < params.steps; t++) {
    let row = first + t * symbols;
    for (var k = lane; k < symbols; k += WORKGROUP) {
      var value = -infF32();
      if (t < sample.steps && k < sample.symbols) {
        var before = select(-infF32(), 0.0, k < 2u);
        if (t > 0u) {
          let last = row - symbols;
          var one = -infF32();
          var two = -infF32();
          if (k > 0u) { one = alpha[last + k - 1u]; }
          if (leaps(b, k)) { two = alpha[last + k - 2u]; }
          before = logSumExp3(alpha[last + k], one, two);
        }
        value = before + lp[(b * params.steps + t) * params.classes + symbol(b, k)];
      }
      alpha[row + k] = value;
    }
    storageBarrier();
  }
  if (lane > 0u) {
    return;
  }
  if (!sample.valid) {
    reportSample(b);
    losses[b] = nanF32();
    return;
  }
  // Without steps, nothing but the empty sequence of labels is possible.
  var end = select(-infF32(), 0.0, sample.symbols == 1u);
  if (sample.steps > 0u) {
    let at = first + (sample.steps - 1u) * symbols + sample.symbols - 1u;
    var label = -infF32();
    if (sample.symbols > 1u) { label = alpha[at - 1u]; }
    end = logSumExp3(alpha[at], label, -infF32());
  }
  losses[b] = select(-end, 0.0, params.forgive == 1u && end < -3.4e38);
}

@compute @workgroup_size(WORKGROUP)
fn ctcGradient(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let b = group.x + group.y * groups.x;
  if (b >= params.batch) {
    return;
  }
  let sample = sampleOf(b);
  let n = (sample.symbols - 1u) / 2u;
  let symbols = 2u * params.width + 1u;
  let rows = b * 4u * symbols;
  let next = params.batch * 4u * symbols + b * params.width;
  let own = b * params.width;
  for (var j = lane; j < n; j += WORKGROUP) {
    var following = j + 1u;
    while (following < n && labels[own + following] != labels[own + j]) { following++; }
    var mark = 0u;
    for (var k = 0u; k < j; k++) {
      if (labels[own + k] == labels[own + j]) { mark = EARLIER; }
    }
    scratch[next + j] = following | mark;
  }
  storageBarrier();
  let loss = lossesIn[b];
  let undefined = g[b] != 0.0 && (!sample.valid || isNan(loss) || loss > 3.4e38);
  let scale = select(-g[b], nanF32(), undefined);
  for (var back = 0u; back < params.steps; back++) {
    let t = params.steps - 1u - back;
    let here = rows + (t & 1u) * symbols;
    let later = rows + (1u - (t & 1u)) * symbols;
    let shares = here + 2u * symbols;
    let step = (b * params.steps + t) * params.classes;
    let live = t < sample.steps;
    for (var c = lane; c < params.classes; c += WORKGROUP) {
      dlp[step + c] = select(0.0, scale, live && isNan(scale));
    }
    if (live) {
      for (var k = lane; k < sample.symbols; k += WORKGROUP) {
        var beta = select(-infF32(), 0.0, k + 2u >= sample.symbols);
        if (t + 1u < sample.steps) {
          let ahead = step + params.classes;
          let same = bitcast<f32>(scratch[later + k]) + lp[ahead + symbol(b, k)];
          var one = -infF32();
          var two = -infF32();
          if (k + 1u < sample.symbols) { one = bitcast<f32>(scratch[later + k + 1u]) + lp[ahead + symbol(b, k + 1u)]; }
          if (k + 2u < sample.symbols && leaps(b, k + 2u)) {
            two = bitcast<f32>(scratch[later + k + 2u]) + lp[ahead + symbol(b, k + 2u)];
          }
          beta = logSumExp3(same, one, two);
        }
        scratch[here + k] = bitcast<u32>(beta);
        let place = (b * params.steps + t) * symbols + k;
        scratch[shares + k] = bitcast<u32>(expF32(alphaIn[place] + beta + loss));
      }
    }
    storageBarrier();
    if (live && !isNan(scale) && scale != 0.0) {
      if (lane == 0u) {
        var sum = 0.0;
        for (var k = 0u; k < sample.symbols; k += 2u) { sum += bitcast<f32>(scratch[shares + k]); }
        // A label may be the blank, too, if the caller has it so.
        for (var j = 0u; j < n; j++) {
          if (bitcast<u32>(labels[own + j]) == params.blank) { sum += bitcast<f32>(scratch[shares + 2u * j + 1u]); }
        }
        dlp[step + params.blank] = scale * sum;
      }
      for (var j = lane; j < n; j += WORKGROUP) {
        let link = scratch[next + j];
        let label = bitcast<u32>(labels[own + j]);
        if ((link & EARLIER) != 0u || label == params.blank) { continue; }
        var sum = bitcast<f32>(scratch[shares + 2u * j + 1u]);
        var at = link;
        while (at < n) {
          sum += bitcast<f32>(scratch[shares + 2u * at + 1u]);
          at = scratch[next + at] & 0x7fffffffu;
        }
        dlp[step + label] = scale * sum;
      }
    }
  }
}
