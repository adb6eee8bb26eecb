/** The lightness of a photograph at the size at which its color is predicted. */

import { lightness } from "./color";
import { type Plane, round } from "./plane";
import { resizeHeight, resizeWidth } from "./resize";

const MAX_ASPECT = 16; // as in colorgan/colorizer/colorizer.py
const STRIP = 2 ** 17; // pixels computed at a time: bounds the memory of what lies between

/** Scale a shape to a short side of `size`. */
export function predictionShape(width: number, height: number, size: number): { width: number; height: number } {
  const scale = Math.min(size / Math.min(width, height), (MAX_ASPECT * size) / Math.max(width, height));
  return { width: Math.max(1, round(width * scale)), height: Math.max(1, round(height * scale)) };
}

/** The first row of each strip of a picture, and the one after its last. */
export function* strips(width: number, height: number): Generator<[number, number]> {
  const rows = Math.max(1, Math.floor(STRIP / width));
  for (let first = 0; first < height; first += rows) yield [first, Math.min(first + rows, height)];
}

/** Return L (h, w) in [0, 100] of a photograph at a short side of `size`. */
export function shrink(picture: ImageData, size: number): Plane {
  const shape = predictionShape(picture.width, picture.height, size);
  const narrow = new Float32Array(shape.width * picture.height);
  for (const [first, end] of strips(picture.width, picture.height)) {
    const L = lightness(picture.data, first * picture.width, (end - first) * picture.width);
    narrow.set(resizeWidth(L, picture.width, shape.width), first * shape.width);
  }
  return { values: resizeHeight(narrow, picture.height, shape.height), ...shape };
}

/** Return the means of areas, as torch's `interpolate(mode="area")`. */
export function shrinkByArea(plane: Plane, width: number, height: number): Plane {
  const values = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const top = Math.floor((y * plane.height) / height);
    const bottom = Math.ceil(((y + 1) * plane.height) / height);
    for (let x = 0; x < width; x++) {
      const left = Math.floor((x * plane.width) / width);
      const right = Math.ceil(((x + 1) * plane.width) / width);
      let sum = 0;
      for (let v = top; v < bottom; v++) for (let u = left; u < right; u++) sum += plane.values[v * plane.width + u];
      values[y * width + x] = sum / ((bottom - top) * (right - left));
    }
  }
  return { values, width, height };
}
