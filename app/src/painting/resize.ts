/** Antialiased bilinear resizing, one axis at a time, as torch's `interpolate(mode="bilinear", antialias=True)`. */

/** What pixels of the source, and with which weights, make each pixel of the result. */
interface Taps {
  first: number;
  weights: Float32Array;
}

function taps(size: number, newSize: number): Taps[] {
  const scale = size / newSize;
  const support = Math.max(scale, 1);
  return Array.from({ length: newSize }, (_, i) => {
    const center = scale * (i + 0.5);
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(size, Math.trunc(center + support + 0.5));
    const weights = Float32Array.from({ length: end - first }, (_, k) =>
      Math.max(0, 1 - Math.abs(first + k - center + 0.5) / support),
    );
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { first, weights: weights.map((weight) => weight / total) };
  });
}

/** Resize rows of `width` values. */
export function resizeWidth(values: Float32Array, width: number, newWidth: number): Float32Array {
  if (width === newWidth) return values;
  const rows = values.length / width;
  const result = new Float32Array(rows * newWidth);
  taps(width, newWidth).forEach(({ first, weights }, x) => {
    for (let y = 0; y < rows; y++) {
      let sum = 0;
      for (let k = 0, at = y * width + first; k < weights.length; k++) sum += weights[k] * values[at + k];
      result[y * newWidth + x] = sum;
    }
  });
  return result;
}

/** Resize one channel of `height` rows. */
export function resizeHeight(values: Float32Array, height: number, newHeight: number): Float32Array {
  if (height === newHeight) return values;
  const width = values.length / height;
  const result = new Float32Array(width * newHeight);
  taps(height, newHeight).forEach(({ first, weights }, y) => {
    for (let k = 0; k < weights.length; k++) {
      const weight = weights[k];
      for (let x = 0, from = (first + k) * width, to = y * width; x < width; x++) {
        result[to + x] += weight * values[from + x];
      }
    }
  });
  return result;
}
