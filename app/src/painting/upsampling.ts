/**
 * Upsampling of predicted color to the resolution of the photograph, as in colorgan/colorizer/upsampling.py.
 *
 * An upsampler maps the lightness of some rows, and the number of the first, to their a and b, one after the other.
 */

import { type Plane, centers, round } from "./plane";
import { resizeHeight, resizeWidth } from "./resize";

export type Upsampler = (L: Float32Array, first: number) => Float32Array;

const SIGMA_SPATIAL = 0.5; // in low-resolution pixels, of a window of 3x3
const SIGMA_RANGE = 3; // in units of L
const EPSILON = 1e-8; // keeps the weights above 0 where no pixel of the window has a similar lightness
const STEPS_PER_DEVIATION = 240; // of the table of a Gaussian
const MAX_DEVIATIONS = 8; // where the table ends

const GAUSSIAN = Float32Array.from(
  { length: STEPS_PER_DEVIATION * MAX_DEVIATIONS },
  (_, i) => Math.exp(-(((i + 0.5) / STEPS_PER_DEVIATION) ** 2) / 2) + EPSILON,
);

/** The color of a pixel is a weighted mean of those around it, by distance and by lightness (Kopf et al. 2007). */
function guided(ab: Plane, guide: Plane, width: number, height: number): Upsampler {
  const across = weightsOfDistance(centers(width, guide.width));
  const down = weightsOfDistance(centers(height, guide.height));
  const pixels = guide.width * guide.height;
  const scale = STEPS_PER_DEVIATION / SIGMA_RANGE;
  const scaledGuide = guide.values.map((L) => L * scale);
  const last = GAUSSIAN.length - 1;
  const [windowL, windowA, windowB] = [0, 0, 0].map(() => new Float32Array(9));
  const clamp = (i: number, size: number): number => Math.min(Math.max(i, 0), size - 1);

  function lookAt(row: number, column: number): void {
    for (let v = 0; v < 3; v++) {
      for (let u = 0; u < 3; u++) {
        const at = clamp(row + v - 1, guide.height) * guide.width + clamp(column + u - 1, guide.width);
        windowL[3 * v + u] = scaledGuide[at];
        windowA[3 * v + u] = ab.values[at];
        windowB[3 * v + u] = ab.values[pixels + at];
      }
    }
  }

  return (L, first) => {
    const result = new Float32Array(2 * L.length);
    for (let at = 0, y = first; at < L.length; y++) {
      let column = -1;
      for (let x = 0; x < width; x++, at++) {
        if (across.nearest[x] !== column) lookAt(down.nearest[y], (column = across.nearest[x]));
        const lightness = L[at] * scale;
        let a = 0;
        let b = 0;
        let total = 0;
        for (let v = 0, k = 0; v < 3; v++) {
          const rowWeight = down.weights[3 * y + v];
          for (let u = 0; u < 3; u++, k++) {
            const distance = Math.min(Math.abs(windowL[k] - lightness) | 0, last);
            const weight = GAUSSIAN[distance] * across.weights[3 * x + u] * rowWeight;
            total += weight;
            a += weight * windowA[k];
            b += weight * windowB[k];
          }
        }
        result[at] = a / total;
        result[L.length + at] = b / total;
      }
    }
    return result;
  };
}

/** The nearest low-resolution pixel, and the weights of those before, at and after it. */
function weightsOfDistance(places: Float32Array): { nearest: Int32Array; weights: Float32Array } {
  const nearest = Int32Array.from(places, round);
  const weights = new Float32Array(3 * places.length);
  places.forEach((center, i) => {
    for (let k = 0; k < 3; k++) {
      weights[3 * i + k] = Math.exp(-(((center - nearest[i] - k + 1) / SIGMA_SPATIAL) ** 2) / 2);
    }
  });
  return { nearest, weights };
}

function bilinear(ab: Plane, width: number, height: number): Upsampler {
  const rows = Math.min(ab.height, height);
  const pixels = ab.width * ab.height;
  const wide = [0, 1].map((channel) => {
    const values = ab.values.subarray(channel * pixels, (channel + 1) * pixels);
    return resizeHeight(resizeWidth(values, ab.width, width), ab.height, rows);
  });
  const places = centers(height, rows).map((y) => Math.min(Math.max(y, 0), rows - 1));
  return (L, first) => {
    const result = new Float32Array(2 * L.length);
    for (let at = 0, y = first; at < L.length; y++) {
      const above = Math.floor(places[y]);
      const below = Math.min(above + 1, rows - 1);
      const share = places[y] - above;
      for (let x = 0; x < width; x++, at++) {
        wide.forEach((values, channel) => {
          const upper = values[above * width + x];
          result[channel * L.length + at] = upper + share * (values[below * width + x] - upper);
        });
      }
    }
    return result;
  };
}

/** Make the upsampler of a photograph of this size. Color that is not smaller needs no guide: it is bilinear. */
export function makeUpsampler(ab: Plane, guide: Plane, width: number, height: number): Upsampler {
  const smaller = ab.width < width && ab.height < height;
  return smaller ? guided(ab, guide, width, height) : bilinear(ab, width, height);
}
