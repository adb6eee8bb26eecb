/** One or more channels of values, each row by row, channel after channel. */
export interface Plane {
  values: Float32Array;
  width: number;
  height: number;
}

/** Round half to even, as Python and torch do. */
export function round(x: number): number {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

/** Return the low-resolution coordinates of the centers of pixels. */
export function centers(size: number, lowSize: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => ((i + 0.5) * lowSize) / size - 0.5);
}
